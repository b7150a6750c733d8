"""Pictures for light and dark pages: text stays text, equal figures give equal bytes, nothing is half written."""

from benchmarks.harness.pictures import THEMES, colour_of, new_figure, save_themed


def _draw():
    figure = new_figure(3, 2, dpi=100)
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color=colour_of(1), label="MT-GRPO")
    axis.legend()
    return figure


def test_a_picture_is_drawn_for_each_theme(tmp_path):
    assert save_themed(_draw, tmp_path, "map") == ["map-light.svg", "map-dark.svg"]
    texts = {theme: (tmp_path / f"map-{theme}.svg").read_text() for theme in THEMES}
    for theme, text in texts.items():
        ink, colours = THEMES[theme]
        assert ">MT-GRPO</text>" in text
        assert f"fill: {ink}" in text
        assert f"stroke: {colours[1].lower()}" in text
        assert "fill: #ffffff" not in text
    assert colour_of(1) == THEMES["light"][1][1]
    save_themed(_draw, tmp_path, "map")
    assert {theme: (tmp_path / f"map-{theme}.svg").read_text() for theme in THEMES} == texts
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map-dark.svg", "map-light.svg"]


def test_nothing_is_written_where_there_is_nothing_to_draw(tmp_path):
    assert save_themed(lambda: None, tmp_path, "map") == []
    assert list(tmp_path.iterdir()) == []
