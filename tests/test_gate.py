"""The gated layer by itself: gradients, the shared expert, precision, and compilation."""

from collections.abc import Iterator

import pytest
import torch

from hubexpert.moe.gate import GatedLinear, fold, gates

EXPERTS, INSIDE = 3, 6
OWNER = torch.tensor([0, 0, 1, 2, 2, 3, 3])  # 3 is the shared expert


def layer(*, top_k: int = 2, dtype: torch.dtype = torch.float64) -> GatedLinear:
    """A layer with three experts of unequal rank and a shared one."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(len(OWNER), INSIDE, generator=generator, dtype=dtype)
    router = torch.randn(EXPERTS, INSIDE, generator=generator, dtype=dtype)
    return GatedLinear(weight, router, OWNER, torch.tensor([0.5, 0.2, 0.3], dtype=dtype), top_k)


def inputs(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Inputs of the layer, [*shape, in]."""
    return torch.randn(*shape, INSIDE, generator=torch.Generator().manual_seed(1), dtype=dtype)


def column_by_column(gate: GatedLinear, x: torch.Tensor) -> torch.Tensor:
    """A x [tokens, r] times gate / mean, one token, expert and rank column after another."""
    rows = []
    for token in x:
        logits = [row @ token for row in gate.router]
        used = sorted(range(EXPERTS), key=lambda expert: -float(logits[expert].detach()))[: gate.top_k]
        total = sum(logits[expert].exp() for expert in used)
        columns = []
        for row, owner in zip(gate.weight, gate.owner.tolist(), strict=True):
            factor = torch.zeros((), dtype=x.dtype)
            if owner == EXPERTS:
                factor = torch.ones((), dtype=x.dtype)
            elif owner in used:
                factor = logits[owner].exp() / total / gate.mean[owner]
            columns.append(factor * (row @ token))
        rows.append(torch.stack(columns))
    return torch.stack(rows)


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    """What one test compiles, no other sees."""
    yield
    torch.compiler.reset()


@pytest.mark.parametrize("top_k", [1, 2, 3, 5])
def test_values_and_gradients_are_those_of_a_loop_over_tokens_and_experts(top_k: int) -> None:
    """Of the input, the experts and the router alike; for one expert a token, some, and all."""
    found = {}
    for name, compute in (("loop", column_by_column), ("layer", GatedLinear.forward)):
        gate, x = layer(top_k=top_k), inputs(5).requires_grad_()
        made = compute(gate, x)
        (made * torch.linspace(-1, 2, made.numel(), dtype=made.dtype).view_as(made)).sum().backward()
        found[name] = (made.detach(), x.grad, gate.weight.grad, gate.router.grad)
    for wanted, got in zip(found["loop"], found["layer"], strict=True):
        assert torch.allclose(wanted, got, rtol=1e-9, atol=1e-12)
    assert (found["layer"][3].abs().max() > 1e-3) == (top_k > 1)  # with one expert a token its gate is always 1


def test_gradients_agree_with_finite_differences() -> None:
    """In double precision, in the input and every parameter."""
    gate = layer()

    def forward(x: torch.Tensor, weight: torch.Tensor, router: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(gate, {"weight": weight, "router": router}, (x,))

    assert torch.autograd.gradcheck(forward, (inputs(2, 3).requires_grad_(), gate.weight, gate.router))


def test_the_shared_expert_is_never_gated() -> None:
    """Whatever the router says, whichever experts are silent: its columns are those of the plain LoRA."""
    gate, x = layer(dtype=torch.float32), inputs(4, 7, dtype=torch.float32) * 20
    columns = OWNER == EXPERTS
    assert torch.equal(gate.always, columns.float())
    with torch.no_grad():
        plain = (x @ gate.weight.T)[..., columns]
        for silent in ((), (1,), range(EXPERTS)):
            gate.silence(silent)
            assert torch.allclose(gate(x)[..., columns], plain, rtol=1e-6)


def test_what_changes_is_seen_by_the_next_forward() -> None:
    """A step of an optimiser, new means, another precision: nothing of before is kept."""
    gate, x = layer().eval(), inputs(4)
    with torch.inference_mode():
        gate(x)
    with torch.no_grad():
        gate.router.mul_(-1)
        gate.weight.add_(0.5)
        assert torch.allclose(gate(x), column_by_column(gate, x))
        gate.weight.data = gate.weight.data * 2
        fold(gate, torch.ones(4, len(OWNER), dtype=x.dtype), torch.tensor([0.6, 0.1, 0.3]))
        assert torch.allclose(gate(x), column_by_column(gate, x))
        exact = gate(x)
        assert torch.allclose(gate.float()(x.float()).double(), exact, rtol=1e-5)


def test_bfloat16_changes_nothing_but_the_rounding() -> None:
    """A mixture cast to half the width computes the same but for its 8 bits."""
    gate, x = layer(dtype=torch.float32), inputs(64, dtype=torch.float32).bfloat16()
    with torch.no_grad():
        gate.router.copy_(gate.router.bfloat16())
        gate.weight.copy_(gate.weight.bfloat16())
        exact = gate(x.float())
        got = gate.bfloat16()(x)
    assert got.dtype == torch.bfloat16
    assert float((got.float() - exact).norm() / exact.norm()) < 0.01


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("training", [False, True])
def test_the_layer_compiles_to_one_graph(training: bool) -> None:
    """No graph breaks, no new compilation for another number of tokens; the same values and gradients."""
    gate = layer(dtype=torch.float32).train(training)
    compiled = torch.compile(gate, fullgraph=True, backend="aot_eager", dynamic=True)
    for shape in ((2, 5), (3, 4), (4, 9)):
        with torch.compiler.set_stance("fail_on_recompile" if shape != (2, 5) else "default"):
            x = inputs(*shape, dtype=torch.float32)
            got = torch.autograd.grad(compiled(x).square().sum(), (gate.weight, gate.router))
            wanted = torch.autograd.grad(gate(x).square().sum(), (gate.weight, gate.router))
            for one, other in zip(got, wanted, strict=True):
                assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("fresh_compiler")
def test_dropout_of_experts_compiles_to_one_graph() -> None:
    """Nothing in it depends on what was drawn."""
    gate = layer(dtype=torch.float32).train()
    gate.dropout = 0.5
    compiled = torch.compile(gate, fullgraph=True, backend="aot_eager")
    x = inputs(200, 3, dtype=torch.float32)
    with torch.no_grad():
        drawn = [(compiled(x)[..., 0] == 0).all(-1) for _ in range(2)]
        gate.dropout = 0.0
        unused = (gate(x)[..., 0] == 0).all(-1)
    without = [float(one[~unused].float().mean()) for one in drawn]
    assert without == pytest.approx([0.5 - 0.5**3] * 2, abs=0.1)  # none is dropped where all would be
    assert not torch.equal(*drawn)


def test_the_logits_that_are_asked_for_gates_stay_as_they_are() -> None:
    """Callers may use them for more than one thing."""
    logits = inputs(4)
    kept = logits.clone()
    first = gates(logits, 1)
    assert torch.equal(logits, kept)
    assert torch.equal(first.argmax(-1), kept.argmax(-1))
