"""Well-known copies of well-known bases: whose they are, what they are called, and how their names end."""

import re
from types import MappingProxyType

from hubexpert.discover.tables import expanded, starred

# Owners, in lower case, whose copies keep the name of what they copy. Nobody else's name is trusted.
OWNERS = frozenset(
    expanded(
        "unsloth nousresearch huggyllama mlx-community thebloke ybelkada vilsonrodrigues hugging-quants alexsherstinsky"
        " tinypixel mistral-community casperhansen neuralmagic redhatai decapoda-research yahma"
    )
)

# Unsloth rebuilt these in the layout of Llama or Mistral: other modules, so an adapter of one does not fit the other.
REBUILT = ("unsloth/phi-3", "unsloth/phi-4")

# Base -> copies that many adapters name, `*` for the base's own name.
_MIRRORS = """
codellama/CodeLlama-{7b,13b,34b,70b}{,-Instruct,-Python}-hf: meta-llama/*
codellama/CodeLlama-7b-hf: meta-llama/* unsloth/codellama-7b unsloth/codellama-7b-bnb-4bit
google/gemma-{2b,7b}: unsloth/* unsloth/*-bnb-4bit
google/gemma-{2b,7b}-it: unsloth/* unsloth/*-bnb-4bit
google/gemma-2-{2b,9b,27b}{,-it}: unsloth/* unsloth/*-bnb-4bit
google/gemma-3-{1b,4b,12b,27b}-{pt,it}: unsloth/* unsloth/*-bnb-4bit unsloth/*-unsloth-bnb-4bit
HuggingFaceTB/SmolLM{,2}-{135M,360M,1.7B}{,-Instruct}: unsloth/* unsloth/*-bnb-4bit
huggyllama/llama-7b: decapoda-research/llama-7b-hf yahma/llama-7b-hf baffo32/decapoda-research-llama-7B-hf
huggyllama/llama-13b: decapoda-research/llama-13b-hf yahma/llama-13b-hf
huggyllama/llama-{30b,65b}: decapoda-research/*-hf
meta-llama/Llama-2-7b-hf: NousResearch/* unsloth/llama-2-7b unsloth/llama-2-7b-bnb-4bit TheBloke/Llama-2-7B-fp16
meta-llama/Llama-2-7b-chat-hf: NousResearch/* unsloth/llama-2-7b-chat unsloth/llama-2-7b-chat-bnb-4bit TheBloke/Llama-2-7b-Chat-GPTQ
meta-llama/Llama-2-13b-hf: NousResearch/* unsloth/llama-2-13b-bnb-4bit TheBloke/Llama-2-13B-fp16
meta-llama/Llama-2-13b-chat-hf: NousResearch/* TheBloke/Llama-2-13B-chat-GPTQ
meta-llama/Llama-2-70b{,-chat}-hf: NousResearch/*
meta-llama/Meta-Llama-3-8B: NousResearch/* unsloth/llama-3-8b unsloth/llama-3-8b-bnb-4bit
meta-llama/Meta-Llama-3-8B-Instruct: NousResearch/* unsloth/llama-3-8b-Instruct unsloth/llama-3-8b-Instruct-bnb-4bit
meta-llama/Meta-Llama-3-70B: NousResearch/* unsloth/llama-3-70b-bnb-4bit
meta-llama/Meta-Llama-3-70B-Instruct: NousResearch/* unsloth/llama-3-70b-Instruct-bnb-4bit
meta-llama/Llama-3.1-8B{,-Instruct}: NousResearch/Meta-* unsloth/Meta-* unsloth/Meta-*-bnb-4bit unsloth/* unsloth/*-bnb-4bit unsloth/*-unsloth-bnb-4bit
meta-llama/Llama-3.1-70B{,-Instruct}: NousResearch/Meta-* unsloth/Meta-* unsloth/Meta-*-bnb-4bit
meta-llama/Llama-3.2-{1B,3B}{,-Instruct}: unsloth/* unsloth/*-bnb-4bit unsloth/*-unsloth-bnb-4bit
meta-llama/Llama-3.3-70B-Instruct: unsloth/* unsloth/*-bnb-4bit
mistralai/Mistral-7B-v0.1: unsloth/mistral-7b unsloth/mistral-7b-bnb-4bit ybelkada/*-bf16-sharded alexsherstinsky/*-sharded
mistralai/Mistral-7B-v0.3: unsloth/mistral-7b-v0.3 unsloth/mistral-7b-v0.3-bnb-4bit
mistralai/Mistral-7B-Instruct-v0.1: unsloth/mistral-7b-instruct-v0.1-bnb-4bit TheBloke/*-GPTQ
mistralai/Mistral-7B-Instruct-v0.2: unsloth/mistral-7b-instruct-v0.2 unsloth/mistral-7b-instruct-v0.2-bnb-4bit TheBloke/*-GPTQ
mistralai/Mistral-7B-Instruct-v0.3: unsloth/mistral-7b-instruct-v0.3 unsloth/mistral-7b-instruct-v0.3-bnb-4bit
mistralai/Mistral-Nemo-{Base,Instruct}-2407: unsloth/* unsloth/*-bnb-4bit
mistralai/Mistral-Small-24B-{Base,Instruct}-2501: unsloth/* unsloth/*-unsloth-bnb-4bit
Qwen/Qwen2-{0.5B,1.5B,7B}{,-Instruct}: unsloth/* unsloth/*-bnb-4bit
Qwen/Qwen2.5-{0.5B,1.5B,3B,7B,14B}{,-Instruct}: unsloth/* unsloth/*-bnb-4bit unsloth/*-unsloth-bnb-4bit
Qwen/Qwen2.5-{32B,72B}{,-Instruct}: unsloth/* unsloth/*-bnb-4bit
Qwen/Qwen2.5-Coder-{0.5B,1.5B,3B,7B,14B,32B}{,-Instruct}: unsloth/* unsloth/*-bnb-4bit
Qwen/Qwen2.5-Math-{1.5B,7B,72B}{,-Instruct}: unsloth/* unsloth/*-bnb-4bit
Qwen/Qwen3-{0.6B,1.7B,4B,8B,14B}{,-Base}: unsloth/* unsloth/*-bnb-4bit unsloth/*-unsloth-bnb-4bit
Qwen/Qwen3-32B: unsloth/* unsloth/*-bnb-4bit unsloth/*-unsloth-bnb-4bit
deepseek-ai/DeepSeek-R1-Distill-{Qwen-1.5B,Qwen-7B,Qwen-14B,Llama-8B}: unsloth/* unsloth/*-bnb-4bit unsloth/*-unsloth-bnb-4bit
tiiuae/falcon-7b: ybelkada/*-sharded-bf16 vilsonrodrigues/*-sharded
tiiuae/falcon-7b-instruct: vilsonrodrigues/*-sharded
TinyLlama/TinyLlama-1.1B-Chat-v1.0: unsloth/tinyllama-chat unsloth/tinyllama-chat-bnb-4bit
TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T: unsloth/tinyllama unsloth/tinyllama-bnb-4bit
01-ai/Yi-6B: unsloth/yi-6b unsloth/yi-6b-bnb-4bit
"""  # noqa: E501  a table: one base a line
MIRRORS = MappingProxyType({base.lower(): names for base, names in starred(_MIRRORS).items()})

# The last part of a name that tells how the copy is stored; longer parts first.
QUANTISED = re.compile(
    r"(?i)(.+?)[-_.](?:unsloth[-_]bnb[-_]4bit|bnb[-_](?:[48]bit|nf4|int8)|fp8[-_](?:dynamic|block|kv)|gptq|awq|gguf|ggml"
    r"|exl2|aqlm|hqq|eetq|[2-8]-?bits?|(?:int|fp|nf)[48]|w\d{1,2}a\d{1,2}|\d{2,3}g|quantized)"
)
REPACKED = re.compile(
    r"(?i)(.+?)[-_.](?:(?:small[-_])?shard(?:s|ed)|fp16|bf16|fp32|b?float16|float32|\d{1,2}gb|mlx|safetensors)"
)
# Words that make a name that of a tuned model.
TUNED = re.compile(r"(?i)(?:^|[-_.])(?:instruct|chat|it)(?=[-_.]|$)")
