"""The reranker (KARD, step 4): finds by the question alone the passages that its rationale would find."""
