"""The shapes that datasets of examples have in the wild: which names of columns make an input and an output.

Names are compared in lower case without `_`, `-` and spaces; `a|b` is the first of them that is there.
"""

from typing import NamedTuple


class Shape(NamedTuple):
    """One shape.

    Attributes:
        inputs: what makes the input, in order; a name in brackets may be missing.
        output: the output.
        instruction: the instruction, where there is one.
        label: whether the output must be a label: a class, a whole number or a truth value.
    """

    inputs: tuple[str, ...]
    output: str
    instruction: str = ""
    label: bool = False


LABEL = "labeltext|label|goldlabel|labels|target|class|category"
GIVEN = (
    "context|contexts|passage|paragraph|para|article|story|document|support|supportingtext|abstract|text|dialogue|"
    "table|tabletext"
)
QUESTION = "question|questionstem|questiontext|questiontitle|problem|query|ques|goal"
ANSWER = (
    "finalanswer|expectedanswer|finaldecision|bestanswer|correctanswer|answer|answers|answertext|answersspans|response|"
    "responses|output|shortanswer|solution|generatedsolution|longanswer|target|completion|label|code|sql|query|reply"
)
TEXT = (
    "text|sentence|content|review|reviewtext|reviewbody|tweet|utterance|utt|comment|commenttext|message|sms|post|body|"
    "document|article|headline|title|description|statement|claim|phrase|question|input|inputs|prompt|verse|versetext"
)
CLASS = (
    f"{LABEL}|intent|sentiment|emotion|emotions|topic|coarselabel|labelcoarse|finelabel|claimlabel|stars|star|rating|"
    "score|verdict|sentimentlabel|intentlabel|output|answer"
)
SUMMARY = "summary|highlights|tldr|summarytext|abstract|headline|targetsummary|target"
PAIR = (
    f"{LABEL}|entailmentjudgment|entailment|gold|score|similarityscore|relatednessscore|"
    "similarity|isduplicate|isparaphrase"
)
RATIONALE = (
    "rationale|explanation|explanation1|cot|chainofthought|complexcot|reasoning|reasoningcontent|thought|thinking|"
    "reason|exp|justification|solution|generatedsolution|steps"
)
# The stems of columns that hold one choice each: option1, option2; sol1, sol2; ending0 ... ; opa, opb ...; A, B, C, D.
STEMS = ("option", "choice", "answer", "ending", "sol", "solution", "candidate", "opt", "op", "")
CHOICES = "choices|options|endings|answerchoices|choice|candidates|answeroptions|alternatives|mc1targets"
CHOICE = (
    "answerkey|answeridx|answerindex|correctidx|correctindex|correctoption|correctchoice|correctanswer|correct|cop|label|"
    "goldlabel|gold|goldindex|answer|answers|target|labels"
)

SHAPES = (
    Shape(("(input|inputs|context|contexts)",), ANSWER + "|targets|outputs", instruction="instruction|instructions"),
    Shape(("premise", "hypothesis"), PAIR),
    Shape(("sentence1|sentencea|text1|texta|question1|s1", "sentence2|sentenceb|text2|textb|question2|s2"), PAIR),
    Shape((f"({GIVEN})", QUESTION, "sentence|answer|hypothesis|candidate"), LABEL, label=True),
    Shape(("(background)", f"({GIVEN}|situation)", QUESTION, "(questioncontent)"), ANSWER, "system|systemprompt"),
    Shape(("prompt|inputspretokenized",), "completion|response|output|chosen|answer|target|targetspretokenized"),
    Shape(
        ("inputs|input|source|src|sourcetext|original",),
        "targets|target|output|outputs|tgt|targettext|corrected|reference",
    ),
    Shape(("document|article|text|dialogue|dialog|report|transcript|content|body|passage|documents",), SUMMARY),
    Shape(("(title)", "content|body|text|description|reviewbody"), CLASS),
    Shape((f"({GIVEN})", "claim|statement"), CLASS),
    Shape((TEXT,), CLASS),
    Shape(
        ("query|human|user|usermessage|docstring|nl|text",), "response|assistant|assistantmessage|answer|code|sql|bash"
    ),
    Shape(("meaningrepresentation|concepts",), "humanreference|target|reference"),
)
CHAT = "messages|conversations|conversation|chat"
