"""The well-known bases by name: a table, and nothing but what is surely so. `{a,b}` stands for each of a and b."""

from hubexpert.discover.tables import expanded, rows, starred

# Owner, then the names of its models.
_KNOWN = """
01-ai: Yi-{6B,9B,34B}{,-Chat} Yi-1.5-{6B,9B,34B}{,-Chat}
allenai: OLMo-{1B,7B}{,-hf} OLMo-2-0425-1B{,-Instruct} OLMo-2-1124-{7B,13B}{,-Instruct} OLMo-2-0325-32B{,-Instruct}
bigcode: starcoder starcoderbase{,-1b,-3b,-7b} starcoder2-{3b,7b,15b} starcoder2-15b-instruct-v0.1
bigscience: bloom{,-560m,-1b1,-1b7,-3b,-7b1} bloomz{,-560m,-1b1,-1b7,-3b,-7b1}
codellama: CodeLlama-{7b,13b,34b,70b}{,-Instruct,-Python}-hf
CohereLabs: aya-101 aya-23-{8B,35B} c4ai-command-r-v01
deepseek-ai: deepseek-llm-{7b,67b}-{base,chat} deepseek-coder-{1.3b,6.7b,33b}-{base,instruct}
deepseek-ai: deepseek-coder-7b-{base,instruct}-v1.5 deepseek-math-7b-{base,instruct} deepseek-moe-16b-{base,chat}
deepseek-ai: DeepSeek-V2-Lite{,-Chat} DeepSeek-R1-Distill-{Qwen-1.5B,Qwen-7B,Qwen-14B,Qwen-32B,Llama-8B,Llama-70B}
distilbert: distilgpt2
EleutherAI: gpt-j-6b gpt-neo-{125m,1.3B,2.7B} gpt-neox-20b
EleutherAI: pythia-{14m,31m,70m,160m,410m,1b,1.4b,2.8b,6.9b,12b} pythia-{70m,160m,410m,1b,1.4b,2.8b,6.9b,12b}-deduped
facebook: opt-{125m,350m,1.3b,2.7b,6.7b,13b,30b,66b}
google: gemma-{2b,7b}{,-it} gemma-1.1-{2b,7b}-it gemma-2-{2b,9b,27b}{,-it} gemma-3-270m{,-it}
google: gemma-3-{1b,4b,12b,27b}-{pt,it} codegemma-2b codegemma-7b{,-it} flan-t5-{small,base,large,xl,xxl}
google-t5: t5-{small,base,large,3b,11b}
HuggingFaceH4: zephyr-7b-{alpha,beta}
HuggingFaceTB: SmolLM{,2}-{135M,360M,1.7B}{,-Instruct} SmolLM3-3B{,-Base}
huggyllama: llama-{7b,13b,30b,65b}
ibm-granite: granite-3.0-{2b,8b}-{base,instruct} granite-3.1-{2b,8b}-{base,instruct} granite-3.3-{2b,8b}-{base,instruct}
internlm: internlm{,2}-{7b,20b} internlm2-1_8b internlm2_5-{1_8b,7b,20b} internlm3-8b-instruct
lmsys: vicuna-{7b,13b}-{v1.3,v1.5} vicuna-33b-v1.3
meta-llama: Llama-2-{7b,13b,70b}{,-chat}-hf Meta-Llama-3-{8B,70B}{,-Instruct} Llama-3.1-{8B,70B,405B}{,-Instruct}
meta-llama: Llama-3.2-{1B,3B}{,-Instruct} Llama-3.3-70B-Instruct
microsoft: phi-1 phi-1_5 phi-2 phi-4 Phi-3-mini-{4k,128k}-instruct Phi-3-medium-{4k,128k}-instruct
microsoft: Phi-3-small-{8k,128k}-instruct Phi-3.5-mini-instruct Phi-3.5-MoE-instruct Phi-4-mini-{instruct,reasoning}
mistralai: Mistral-7B-{v0.1,v0.3} Mistral-7B-Instruct-{v0.1,v0.2,v0.3} Mixtral-8x{7B,22B}{,-Instruct}-v0.1
mistralai: Mistral-Nemo-{Base,Instruct}-2407 Mistral-Small-Instruct-2409 Mistral-Small-24B-{Base,Instruct}-2501
mistralai: Ministral-8B-Instruct-2410 Ministral-3-{3B,8B,14B}-{Base,Instruct,Reasoning}-2512
mistralai: Mathstral-7B-v0.1 Codestral-22B-v0.1
mosaicml: mpt-7b{,-instruct,-chat} mpt-30b{,-instruct,-chat}
openai-community: gpt2{,-medium,-large,-xl}
openlm-research: open_llama_{3b,7b}{,_v2} open_llama_13b
Qwen: Qwen-{1_8B,7B,14B,72B}{,-Chat} Qwen1.5-{0.5B,1.8B,4B,7B,14B,32B,72B}{,-Chat}
Qwen: Qwen2-{0.5B,1.5B,7B,72B}{,-Instruct} Qwen2-Math-{1.5B,7B,72B}{,-Instruct}
Qwen: Qwen2.5-{0.5B,1.5B,3B,7B,14B,32B,72B}{,-Instruct} Qwen2.5-Math-{1.5B,7B,72B}{,-Instruct}
Qwen: Qwen2.5-Coder-{0.5B,1.5B,3B,7B,14B,32B}{,-Instruct} QwQ-32B
Qwen: Qwen3-{0.6B,1.7B,4B,8B,14B}{,-Base} Qwen3-32B Qwen3-30B-A3B{,-Base} Qwen3-4B-{Instruct,Thinking}-2507
stabilityai: stablelm-2-1_6b stablelm-3b-4e1t
tiiuae: falcon-{7b,40b}{,-instruct} falcon-rw-1b falcon-11B Falcon3-{1B,3B,7B,10B}-{Base,Instruct}
TinyLlama: TinyLlama_v1.1 TinyLlama-1.1B-Chat-v1.0 TinyLlama-1.1B-intermediate-step-1431k-3T
upstage: SOLAR-10.7B{,-Instruct}-v1.0
"""

# What the community calls one model, where that is not its name; `-hf` and `Meta-` need not be written anyway.
SYNONYMS = {
    "bloom-7b": "bigscience/bloom-7b1",
    "bloomz-7b": "bigscience/bloomz-7b1",
    "gpt-j": "EleutherAI/gpt-j-6b",
    "gpt-neox": "EleutherAI/gpt-neox-20b",
    "internlm2.5-7b": "internlm/internlm2_5-7b",
    "internlm2.5-20b": "internlm/internlm2_5-20b",
    "llama-1-7b": "huggyllama/llama-7b",
    "llama-1-13b": "huggyllama/llama-13b",
    "llama-3.3-70b": "meta-llama/Llama-3.3-70B-Instruct",
    "mistral-nemo-base": "mistralai/Mistral-Nemo-Base-2407",
    "mistral-nemo-instruct": "mistralai/Mistral-Nemo-Instruct-2407",
    "mixtral-8x7b": "mistralai/Mixtral-8x7B-v0.1",
    "mixtral-8x7b-instruct": "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "mixtral-8x22b": "mistralai/Mixtral-8x22B-v0.1",
    "mixtral-8x22b-instruct": "mistralai/Mixtral-8x22B-Instruct-v0.1",
    "olmo-2-1b": "allenai/OLMo-2-0425-1B",
    "olmo-2-1b-instruct": "allenai/OLMo-2-0425-1B-Instruct",
    "olmo-2-7b": "allenai/OLMo-2-1124-7B",
    "olmo-2-7b-instruct": "allenai/OLMo-2-1124-7B-Instruct",
    "olmo-2-13b": "allenai/OLMo-2-1124-13B",
    "olmo-2-13b-instruct": "allenai/OLMo-2-1124-13B-Instruct",
    "olmo-2-32b": "allenai/OLMo-2-0325-32B",
    "olmo-2-32b-instruct": "allenai/OLMo-2-0325-32B-Instruct",
    "phi-1.5": "microsoft/phi-1_5",
    "phi-3.5-mini": "microsoft/Phi-3.5-mini-instruct",
    "solar-10.7b": "upstage/SOLAR-10.7B-v1.0",
    "solar-10.7b-instruct": "upstage/SOLAR-10.7B-Instruct-v1.0",
    "tinyllama-chat": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    "tinyllama-1.1b-chat": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
}

# Names that stand for several models: the user says which.
_SEVERAL = """
deepseek-7b: deepseek-ai/deepseek-llm-7b-{base,chat}
deepseek-coder-1.3b: deepseek-ai/deepseek-coder-1.3b-{base,instruct}
deepseek-coder-6.7b: deepseek-ai/deepseek-coder-6.7b-{base,instruct}
deepseek-coder-7b: deepseek-ai/deepseek-coder-7b-{base,instruct}-v1.5
deepseek-coder-33b: deepseek-ai/deepseek-coder-33b-{base,instruct}
deepseek-llm-7b: deepseek-ai/deepseek-llm-7b-{base,chat}
deepseek-llm-67b: deepseek-ai/deepseek-llm-67b-{base,chat}
deepseek-math-7b: deepseek-ai/deepseek-math-7b-{base,instruct}
falcon3-1b: tiiuae/Falcon3-1B-{Base,Instruct}
falcon3-3b: tiiuae/Falcon3-3B-{Base,Instruct}
falcon3-7b: tiiuae/Falcon3-7B-{Base,Instruct}
falcon3-10b: tiiuae/Falcon3-10B-{Base,Instruct}
gemma-3-1b: google/gemma-3-1b-{pt,it}
gemma-3-4b: google/gemma-3-4b-{pt,it}
gemma-3-12b: google/gemma-3-12b-{pt,it}
gemma-3-27b: google/gemma-3-27b-{pt,it}
ministral-8b: mistralai/Ministral-8B-Instruct-2410 mistralai/Ministral-3-8B-{Base,Instruct,Reasoning}-2512
mistral-7b: mistralai/Mistral-7B-{v0.1,v0.3}
mistral-7b-instruct: mistralai/Mistral-7B-Instruct-{v0.1,v0.2,v0.3}
mistral-nemo: mistralai/Mistral-Nemo-{Base,Instruct}-2407
mistral-small: mistralai/Mistral-Small-24B-{Base,Instruct}-2501 mistralai/Mistral-Small-Instruct-2409
phi-3-medium: microsoft/Phi-3-medium-{4k,128k}-instruct
phi-3-mini: microsoft/Phi-3-mini-{4k,128k}-instruct
phi-3-mini-instruct: microsoft/Phi-3-mini-{4k,128k}-instruct
phi-3-small: microsoft/Phi-3-small-{8k,128k}-instruct
phi-4-mini: microsoft/Phi-4-mini-{instruct,reasoning}
qwen3-4b-instruct: Qwen/Qwen3-4B-Instruct-2507 Qwen/Qwen3-4B
smollm3: HuggingFaceTB/SmolLM3-3B{,-Base}
tinyllama: TinyLlama/TinyLlama_v1.1 TinyLlama/TinyLlama-1.1B-{Chat-v1.0,intermediate-step-1431k-3T}
tinyllama-1.1b: TinyLlama/TinyLlama_v1.1 TinyLlama/TinyLlama-1.1B-{Chat-v1.0,intermediate-step-1431k-3T}
vicuna-7b: lmsys/vicuna-7b-{v1.3,v1.5}
vicuna-13b: lmsys/vicuna-13b-{v1.3,v1.5}
"""

# Names under which the Hub still serves a model, and which older adapters carry.
_FORMER = """
meta-llama/Llama-3.1-{8B,70B,405B}{,-Instruct}: meta-llama/Meta-*
openai-community/gpt2{,-medium,-large,-xl}: *
distilbert/distilgpt2: *
google-t5/t5-{small,base,large,3b,11b}: *
CohereLabs/{aya-101,aya-23-8B,aya-23-35B,c4ai-command-r-v01}: CohereForAI/*
"""

BASES = tuple(f"{owner}/{name}" for owner, names in rows(_KNOWN) for name in expanded(names))
SEVERAL = {name: expanded(ids) for name, ids in rows(_SEVERAL)}
FORMER_NAMES = {former: present for present, names in starred(_FORMER).items() for former in names}
