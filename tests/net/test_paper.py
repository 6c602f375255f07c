"""The published TabNet against pytorch-tabnet 4.1.0 on copied weights, and members alone."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from tabnet_auto.config import PaperConfig
from tabnet_auto.errors import InputError
from tabnet_auto.net.ghost_norm import GhostNorm, VirtualBatches, _Normalise
from tabnet_auto.net.layers import MemberRandom
from tabnet_auto.net.output import Output
from tabnet_auto.net.paper import PaperTabNet, importance

SMALL = {"n_d": 5, "n_a": 3, "virtual_batch_size": 16}
MASK_NAMES = {"sparsemax": "sparsemax", "entmax15": "entmax"}


@pytest.fixture(autouse=True)
def _one_thread():
    """Let small tensors not wait for a second thread, which another process may hold up."""
    torch.set_num_threads(1)


@pytest.fixture
def tab_network(monkeypatch):
    """Return the reference's module, made to compute in double precision throughout."""
    module = pytest.importorskip("pytorch_tabnet.tab_network")
    # its residual scale sqrt(0.5) is a float32 number whatever the network's precision
    monkeypatch.setattr(torch, "FloatTensor", torch.DoubleTensor)
    return module


def rows(n_members, n_rows, n_features, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_members, n_rows, n_features, generator=generator, dtype=torch.float64)


def build(config, groups, n_outputs=2, seeds=(0,)):
    net = PaperTabNet(config, len(groups), groups, n_outputs, MemberRandom(seeds))
    return net.double()


def group_matrix(groups):
    column = torch.tensor(groups)
    matrix = (column == torch.arange(max(groups) + 1).unsqueeze(1)).double()
    return matrix / matrix.sum(1, keepdim=True)


def build_reference(tab_network, config, groups, n_outputs, seed):
    """Build one reference network with parameters, norms included, away from their defaults."""
    torch.manual_seed(seed)
    net = tab_network.TabNetNoEmbeddings(
        len(groups),
        n_outputs,
        n_d=config.n_d,
        n_a=config.n_a,
        n_steps=config.n_steps,
        gamma=config.gamma,
        n_independent=config.n_independent,
        n_shared=config.n_shared,
        epsilon=config.epsilon,
        virtual_batch_size=config.virtual_batch_size,
        momentum=config.momentum,
        mask_type=MASK_NAMES[config.mask],
        group_attention_matrix=group_matrix(groups),
    ).double()
    return shake(net)


def shake(net):
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.weight.add_(0.3 * torch.randn_like(module.weight))
                module.bias.add_(0.3 * torch.randn_like(module.bias))
    return net


def glu_layers(transformer):
    blocks = [transformer.shared, transformer.specifics]
    return [layer for block in blocks for layer in getattr(block, "glu_layers", [])]


def matching(ours, theirs):
    """Pair each of our norms, and each of our weights, with the reference's."""
    encoder = theirs.encoder
    norms = [(ours.initial_norm, encoder.initial_bn)]
    weights = [(ours.head, theirs.final_mapping.weight)]
    pairs = [(ours.splitter, encoder.initial_splitter)]
    pairs += zip(ours.transformers, encoder.feat_transformers, strict=True)
    for own, their in pairs:
        layers = glu_layers(their)
        norms += [(n, layer.bn.bn) for n, layer in zip(own.norms, layers, strict=True)]
        own_weights = [*ours.shared, *own.own]
        weights += [(w, layer.fc.weight) for w, layer in zip(own_weights, layers, strict=True)]
    for own, their in zip(ours.attentions, encoder.att_transformers, strict=True):
        norms.append((own.norm, their.bn.bn))
        weights.append((own.weight, their.fc.weight))
    return norms, weights


@torch.no_grad()
def copy_weights(ours, references):
    for m, theirs in enumerate(references):
        norms, weights = matching(ours, theirs)
        for own, their in weights:
            own[m] = their.T
        for own, their in norms:
            own.weight[m, 0], own.bias[m, 0] = their.weight, their.bias
            own.running_mean[m, 0], own.running_var[m, 0] = their.running_mean, their.running_var


def assert_same_state(ours, references, *, grads, atol=1e-9):
    for m, theirs in enumerate(references):
        norms, weights = matching(ours, theirs)
        for own, their in norms:
            same(own.running_mean[m, 0], their.running_mean, atol)
            same(own.running_var[m, 0], their.running_var, atol)
            if grads:
                same(own.weight.grad[m, 0], their.weight.grad, atol)
                same(own.bias.grad[m, 0], their.bias.grad, atol)
        for own, their in weights if grads else ():
            same(own.grad[m], their.grad.T, atol)


def same(a, b, atol=1e-9):
    torch.testing.assert_close(a, b, rtol=1e-9, atol=atol)


def compare(ours, references, x):
    """Compare outputs, losses and all gradients of one minibatch."""
    out = ours(x)
    lam = ours.config.lambda_sparse
    ours.zero_grad()
    (out.logits.sin().sum() + 50 * out.penalty.sum()).backward()
    for m, theirs in enumerate(references):
        theirs.zero_grad()
        logits, m_loss = theirs(x[m])
        (logits.sin().sum() - 50 * lam * m_loss).backward()
        same(out.logits[m], logits)
        same(out.penalty[m], -lam * m_loss)
    assert (out.penalty > -1e-12).all()  # log(1 + epsilon) is not quite 0
    assert_same_state(ours, references, grads=True)


GROUPS = {
    "plain": list(range(6)),
    "embeddings": [0, 1, 1, 2, 2, 2, 2, 3],
    "apart": [2, 0, 1, 0, 2, 1, 2, 3, 3, 2],
}


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("mask", MASK_NAMES)
@pytest.mark.parametrize("n_members", [1, 3])
def test_equals_the_reference(tab_network, n_members, mask, groups):
    config = PaperConfig(**SMALL, mask=mask, lambda_sparse=0.1)
    references = [build_reference(tab_network, config, groups, 2, s) for s in range(n_members)]
    ours = build(config, groups, seeds=range(n_members))
    copy_weights(ours, references)
    # full virtual batches, a smaller last one, one smaller than a virtual batch
    for step, n_rows in enumerate((64, 61, 10, 33, 16)):
        compare(ours, references, 1 + 2 * rows(n_members, n_rows, len(groups), step))
    for net in (ours, *references):
        net.eval()
    x = 1 + 2 * rows(n_members, 37, len(groups), 9)
    compare(ours, references, x)
    out = ours(x)
    for m, theirs in enumerate(references):
        aggregate, masks = theirs.forward_masks(x[m])
        for step, mask_of_features in masks.items():
            same(out.masks[step, m] @ group_matrix(groups), mask_of_features)
        # back to columns, as the reference's estimator sums features
        reduce = (group_matrix(groups) > 0).double().T
        expected = aggregate.double() @ reduce
        ours_now = importance(out.masks, out.step_size, normalize=False)[m]
        same(ours_now, expected, 1e-6)  # the reference adds up in float32
        expected = expected / expected.sum(1, keepdim=True)
        same(importance(out.masks, out.step_size)[m], expected, 1e-6)


@pytest.mark.parametrize(
    "sizes",
    [
        {"n_shared": 0, "n_independent": 1},
        {"n_shared": 0, "n_independent": 3},
        {"n_shared": 1, "n_independent": 0},
        {"n_shared": 3, "n_independent": 0},
        {"n_shared": 1, "n_independent": 1, "n_steps": 1},
        {"n_steps": 5, "gamma": 1.0},
        {"momentum": 0.7, "virtual_batch_size": 2},
        {"virtual_batch_size": 500},
    ],
    ids=str,
)
def test_equals_the_reference_at_the_edges(tab_network, sizes):
    config = PaperConfig(**{**SMALL, **sizes})
    groups = GROUPS["embeddings"]
    references = [build_reference(tab_network, config, groups, 1, s) for s in range(2)]
    ours = build(config, groups, n_outputs=1, seeds=range(2))
    copy_weights(ours, references)
    for step, n_rows in enumerate((32, 46)):
        compare(ours, references, rows(2, n_rows, len(groups), step))
    for net in (ours, *references):
        net.eval()
    compare(ours, references, rows(2, 3, len(groups), 5))


def test_equals_the_reference_with_its_embeddings(tab_network):
    """The reference's own group matrix for embedded columns, and through its embedder."""
    config = PaperConfig(**SMALL)
    torch.manual_seed(3)
    theirs = tab_network.TabNet(
        4,
        2,
        n_d=5,
        n_a=3,
        virtual_batch_size=16,
        cat_idxs=[1, 2],
        cat_dims=[7, 5],
        cat_emb_dim=[2, 4],
        group_attention_matrix=torch.eye(4),
    ).double()
    shake(theirs)
    groups = [0, 1, 1, 2, 2, 2, 2, 3]
    same(theirs.embedder.embedding_group_matrix.double(), group_matrix(groups))
    theirs.tabnet.encoder.group_attention_matrix = group_matrix(groups)
    ours = build(config, groups)
    copy_weights(ours, [theirs.tabnet])
    numbers = torch.stack([torch.randn(48), *torch.randint(5, (2, 48)), torch.randn(48)], 1)
    # its embedder turns plain columns into float32
    embedded = theirs.embedder(numbers).double().detach()
    compare(ours, [theirs.tabnet], embedded.unsqueeze(0))


def test_equals_the_reference_with_grouped_features(tab_network):
    utils = pytest.importorskip("pytorch_tabnet.utils")
    matrix = utils.create_group_matrix([[0, 2], [1, 3, 4]], 6)
    torch.testing.assert_close(matrix.double(), group_matrix([0, 1, 0, 1, 1, 2]))
    assert tab_network is not None


def test_initial_weights_are_as_wide_as_the_reference(tab_network):
    config = PaperConfig(n_d=40, n_a=24)
    groups = [*range(50), *[50] * 10]
    theirs = build_reference(tab_network, config, groups, 30, 0)
    ours = build(config, groups, n_outputs=30)
    for own, their in ((a.detach(), b.detach()) for a, b in matching(ours, theirs)[1]):
        assert own.shape == (1, *their.T.shape)
        assert own.std() == pytest.approx(their.std().item(), rel=0.08)
        assert abs(own.mean()) < 0.05 * own.std() + 0.01


@pytest.mark.parametrize("mask", ["sparsemax", "entmax15", "softmax"])
@pytest.mark.parametrize("n_rows", [32, 45])
def test_members_together_equal_members_alone(mask, n_rows):
    config = PaperConfig(**SMALL, mask=mask, lambda_sparse=0.1)
    groups = GROUPS["apart"]
    together = build(config, groups, seeds=(3, 1, 4))
    x = rows(3, n_rows, len(groups))
    for training in (True, False):
        together.train(training)
        out = together(x)
        together.zero_grad()
        (out.logits.sin().sum() + out.penalty.sum()).backward()
        for m, seed in enumerate((3, 1, 4)):
            alone = build(config, groups, seeds=(seed,)).train(training)
            if not training:
                alone.load_state_dict({k: v[m : m + 1] for k, v in together.state_dict().items()})
            single = alone(x[m : m + 1])
            (single.logits.sin().sum() + single.penalty.sum()).backward()
            same(out.logits[m], single.logits[0], 1e-10)
            same(out.masks[:, m], single.masks[:, 0], 1e-10)
            same(out.step_size[:, m], single.step_size[:, 0], 1e-10)
            same(out.penalty[m], single.penalty[0], 1e-10)
            for own, lone in zip(together.parameters(), alone.parameters(), strict=True):
                same(own.grad[m], lone.grad[0], 1e-10)
            for own, lone in zip(together.buffers(), alone.buffers(), strict=True):
                if own.shape[0] == 3 and own.dim() == 3:
                    same(own[m], lone[0], 1e-10)


def test_a_spoilt_member_spoils_no_other():
    config = PaperConfig(**SMALL)
    net, x = build(config, GROUPS["plain"], seeds=(0, 1)), rows(2, 32, 6)
    expected = build(config, GROUPS["plain"], seeds=(0, 1))(x)
    x[1, 3, 2] = torch.nan
    out = net(x)
    out.logits.sum().backward()
    assert out.logits[1].isnan().any()
    same(out.logits[0], expected.logits[0])
    assert all(p.grad[0].isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("mask", ["sparsemax", "entmax15"])
def test_members_with_minibatches_of_unequal_sizes(mask):
    config = PaperConfig(**SMALL, mask=mask, lambda_sparse=0.1)
    groups = GROUPS["embeddings"]
    together = build(config, groups, seeds=range(5))
    x = rows(5, 48, len(groups))
    # a full minibatch, ragged ones, one that lies scattered, one below a virtual batch
    counts = (48, 33, 40, 21, 7)
    valid = torch.arange(48) < torch.tensor(counts).unsqueeze(1)
    valid[2] = torch.rand(48) < 0.6
    out = together(x, valid)
    chosen = out.logits.sin().sum(-1) * valid
    (chosen.sum() + out.penalty.sum()).backward()
    assert out.logits.isfinite().all()
    for m in range(5):
        alone = build(config, groups, seeds=(m,))
        single = alone(x[m : m + 1, valid[m]])
        (single.logits.sin().sum() + single.penalty.sum()).backward()
        same(out.logits[m, valid[m]], single.logits[0])
        same(out.masks[:, m, valid[m]], single.masks[:, 0])
        same(out.penalty[m], single.penalty[0])
        for own, lone in zip(together.parameters(), alone.parameters(), strict=True):
            same(own.grad[m], lone.grad[0])
        for name, lone in alone.state_dict().items():
            same(together.state_dict()[name][m], lone[0])


@pytest.mark.parametrize("n_rows", [2, 15, 16, 17, 31, 32, 33, 47, 50, 100, 129])
@pytest.mark.parametrize("size", [2, 3, 16, 128])
def test_virtual_batches_fall_as_chunks_do(n_rows, size):
    x = rows(1, n_rows, 1)
    batches = VirtualBatches.split(x, size)
    sizes = [len(chunk) for chunk in torch.arange(n_rows).chunk(math.ceil(n_rows / size))]
    if sizes[-1] == 1 and len(sizes) > 1:  # where the reference raises an error
        sizes[-2:] = [sizes[-2] + 1]
    assert [int(c) for c in batches.rows.flatten() if c > 0] == sizes
    assert (batches.member is None) == (n_rows % math.ceil(n_rows / size) == 0)


@pytest.mark.parametrize("n_rows", [24, 23])
def test_ghost_norm_equals_a_loop(n_rows):
    norm, momentum = GhostNorm(2, 3, 0.2).double(), 0.2
    x = rows(2, n_rows, 3) * 3 + 5
    y = norm(x, VirtualBatches.split(x, 8))
    for m in range(2):
        loop = torch.nn.BatchNorm1d(3, momentum=momentum).double()
        same(y[m], torch.cat([loop(chunk) for chunk in x[m].chunk(3)]))
        same(norm.running_mean[m, 0], loop.running_mean)
        same(norm.running_var[m, 0], loop.running_var)


def test_a_row_without_company_leaves_the_running_statistics_alone():
    norm, x = GhostNorm(2, 3, 0.5).double(), rows(2, 6, 3)
    valid = torch.tensor([[True] * 6, [True] + [False] * 5])
    y = norm(x, VirtualBatches.split(x, 4, valid))
    assert torch.equal(norm.running_mean[1], torch.zeros(1, 3))
    assert torch.equal(norm.running_var[1], torch.ones(1, 3))
    assert (norm.running_mean[0] != 0).all()
    assert torch.equal(y[1, 0], norm.bias[1, 0])


def test_normalise_passes_gradcheck():
    x = rows(2, 6, 3).view(2, 2, 3, 3).requires_grad_()
    weight, bias = (rows(2, 1, 3, s).unsqueeze(1).requires_grad_() for s in (1, 2))
    assert gradcheck(lambda *a: _Normalise.apply(*a)[0], (x, weight, bias))


def test_float32_with_an_offset_normalises_precisely():
    x = (rows(1, 64, 2) + 1e4).float()
    y = GhostNorm(1, 2, 0.1)(x, VirtualBatches.split(x, 64))
    expected = (x - x.double().mean(1)) / x.double().std(1, correction=0)
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=2e-3)


def test_wide_groups_take_the_gather_route(monkeypatch):
    config, x = PaperConfig(**SMALL), rows(1, 32, 10)
    matrix = build(config, GROUPS["apart"])
    monkeypatch.setattr("tabnet_auto.net.paper._MAX_SPREAD_CELLS", 0)
    gather = build(config, GROUPS["apart"])
    assert matrix.spread is not None
    assert gather.spread is None
    for a, b in zip(matrix(x), gather(x), strict=True):
        same(a, b)


def test_shapes_masks_and_state():
    config = PaperConfig(**SMALL, n_steps=4)
    net = build(config, GROUPS["embeddings"], n_outputs=3, seeds=range(2))
    out = net(rows(2, 20, 8))
    assert out.logits.shape == (2, 20, 3)
    assert out.masks.shape == (4, 2, 20, 4)
    assert out.step_size.shape == (4, 2, 20)
    assert out.penalty.shape == (2,)
    assert (out.masks >= 0).all()
    same(out.masks.sum(-1), torch.ones(4, 2, 20, dtype=torch.float64))
    assert (out.step_size >= 0).all()
    assert all(value.shape[0] == 2 for value in net.state_dict().values())


def test_no_sparsity_weight_no_penalty():
    config, x = PaperConfig(**SMALL, lambda_sparse=0.0), rows(2, 20, 6)
    assert build(config, GROUPS["plain"], seeds=(0, 1))(x).penalty.tolist() == [0.0, 0.0]


def test_importance_of_a_row_without_decision_is_zero():
    masks, step_size = torch.full((2, 1, 2, 4), 0.25), torch.tensor([[[0.0, 1.0]], [[0.0, 3.0]]])
    assert importance(masks, step_size).tolist() == [[[0.0] * 4, [0.25] * 4]]
    assert importance(masks, step_size, normalize=False).tolist() == [[[0.0] * 4, [1.0] * 4]]


def test_selected_members_go_on_alone():
    config, groups = PaperConfig(**SMALL), GROUPS["apart"]
    net, x = build(config, groups, seeds=range(3)), rows(3, 32, 10)
    expected = net.eval()(x)
    for tensor in (*net.parameters(), *(b for b in net.buffers() if b.dim() == 3)):
        tensor.data = tensor.data[[2, 0]]
    out = net(x[[2, 0]])
    same(out.logits, expected.logits[[2, 0]])
    assert net.train()(x[[2, 0]]).logits.isfinite().all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_steps": 0}, "n_steps=0"),
        ({"n_shared": 0, "n_independent": 0}, "at least one gated layer"),
        ({"virtual_batch_size": 1}, "virtual_batch_size=1"),
    ],
)
def test_impossible_settings_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        build(PaperConfig(**change), [0, 1])


@pytest.mark.parametrize("groups", [[0, 1], [0, 2, 2], [1, 1, 2]])
def test_groups_that_do_not_fit_are_refused(groups):
    with pytest.raises(InputError, match="groups must name"):
        PaperTabNet(PaperConfig(), 3, groups, 1, MemberRandom([0]))


def test_one_row_is_refused_in_training_only():
    net = build(PaperConfig(), [0, 1])
    with pytest.raises(InputError, match="at least 2 rows"):
        net(rows(1, 1, 2))
    assert net.eval()(rows(1, 1, 2)).logits.shape == (1, 1, 2)


def test_a_row_for_which_no_step_decides_looks_through_all_alike():
    masks = torch.tensor([[[[0.2, 0.8], [0.2, 0.8]]], [[[1.0, 0.0], [1.0, 0.0]]]])
    size = torch.tensor([[[0.0, 1.0]], [[0.0, 3.0]]])
    output = Output(torch.zeros(1, 2, 1), masks, size, torch.zeros(1))
    torch.testing.assert_close(
        output.step_shares()[:, 0].T, torch.tensor([[0.5, 0.5], [0.25, 0.75]])
    )
    expected = torch.tensor([[[0.6, 0.4], [0.8, 0.2]]])
    torch.testing.assert_close(output.mean_weights(), expected)
