"""What the stack's sum is made of, on call graphs written here as gcc writes them; `make stack` asks the compilers."""

from tests.native.stack import Graph


def node(name: str, frame: str = "") -> str:
    return f'node: {{ title: "{name}" label: "{name}\\n{frame}" }}\n'


def edge(source: str, target: str) -> str:
    return f'edge: {{ sourcename: "{source}" targetname: "{target}" label: "a.c:1:1" }}\n'


def graph_of(*lines: str) -> Graph:
    graph = Graph()
    graph.read("".join(lines))
    return graph


def test_the_deepest_chain_counts_not_the_longest() -> None:
    graph = graph_of(
        *(node(name, f"{size} bytes (static)") for name, size in (("a", 8), ("b", 8), ("c", 8), ("d", 99))),
        edge("a", "b"), edge("b", "c"), edge("a", "d"), node("d"),
    )  # fmt: skip
    assert graph.deepest("a") == (107, ("a", "d")) and not graph.faults


def test_recursion_pointers_strangers_and_frames_of_unknown_size_are_faults() -> None:
    a = node("a", "8 bytes (static)")
    for lines, word in (
        ((a, node("b", "8 bytes (static)"), edge("a", "b"), edge("b", "a")), "recursion"),
        ((a, edge("a", "__indirect_call")), "__indirect_call"),
        ((a, edge("a", "malloc")), "malloc"),
        ((node("a", "8 bytes (dynamic)"),), "dynamic"),
    ):
        graph = graph_of(*lines)
        graph.deepest("a")
        assert len(graph.faults) == 1 and word in graph.faults[0]
