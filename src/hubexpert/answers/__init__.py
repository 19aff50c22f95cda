"""What an answer says, as text: which part of it counts, and whether that is the gold output. No torch here.

Every rule is anchored at the beginning of the answer, so that a wrong answer is known as such after a few words.
"""
