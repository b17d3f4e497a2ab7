"""Free text says something of the target, by models that each leave out some rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

import schuss as ss
from schuss.data.tables.inference import infer_kinds
from schuss.data.tables.preparing.preprocessing import TablePreprocessor
from schuss.data.tables.preparing.text import TextModel, learn_text
from schuss.data.tables.preparing.words import learn_words, weigh_words, words_of
from schuss.data.tables.table import Table
from schuss.errors import FileFormatError


def split(words):
    return words.split(" ")


TOPICS = {
    "food": split("soup bread salt pepper oven butter taste spoon sugar lemon"),
    "ships": split("sail anchor harbour deck rope captain storm mast wind crew"),
    "law": split("court judge appeal verdict clause contract jury oath witness fine"),
}
COMMON = split("the a of and in with very often one two red old new big")


def reviews(rows, seed=0, topics=("food", "ships", "law"), share=0.25):
    draw = np.random.default_rng(seed)
    names = [str(draw.choice(topics)) for _ in range(rows)]
    texts = [
        " ".join(
            str(draw.choice(TOPICS[name] if draw.random() < share else COMMON))
            for _ in range(draw.integers(4, 15))
        )
        for name in names
    ]
    return Table({"text": texts, "topic": names})


def learned(table, topics):
    y = np.array([topics.index(name) for name in table.text("topic")])
    return y, learn_text(table, infer_kinds(table)["text"], y, topics, 0)


@pytest.mark.parametrize("topics", [["food", "ships"], ["food", "ships", "law"]])
def test_new_rows_are_told_as_well_as_those_left_out(topics):
    table = reviews(600, topics=topics)
    y, (model, said) = learned(table, topics)
    other = reviews(400, seed=1, topics=topics)
    found = model.values(other, infer_kinds(other)["text"])
    truth = np.array([topics.index(name) for name in other.text("topic")])

    def right(values, truth):
        chosen = values.argmax(1) if len(topics) > 2 else values[:, 0] > 0
        return (chosen == truth).mean()

    assert right(found, truth) > 0.8
    assert abs(right(said, y) - right(found, truth)) < 0.06


def test_what_is_said_of_a_row_does_not_come_from_it():
    """Words that are in one class by chance say nothing of the rows that they are in."""
    draw = np.random.default_rng(0)
    texts = [f"word{draw.integers(150)} word{draw.integers(150)} thing" for _ in range(300)]
    y = draw.integers(0, 2, 300)
    table = Table({"text": texts})
    found = learn_text(table, infer_kinds(table)["text"], y, ["no", "yes"], 0)
    if not isinstance(found, str):
        right = ((found[1][:, 0] > 0) == y).mean()
        assert right < 0.62
    else:
        assert found == "its words say nothing of the target, left out"


def test_copies_of_a_text_are_left_out_together():
    draw = np.random.default_rng(0)
    texts = [f"this is note {draw.integers(10**9)} indeed" for _ in range(101)] * 6
    y = np.tile(draw.integers(0, 2, 101), 6)
    table = Table({"text": texts})
    assert isinstance(learn_text(table, infer_kinds(table)["text"], y, ["no", "yes"], 0), str)


def test_quantities():
    draw = np.random.default_rng(0)
    prices = {"gold": 3.0, "tin": -1.0, "iron": 0.0, "lead": -2.0}
    rows = [[str(draw.choice(list(prices))) for _ in range(4)] for _ in range(500)]
    y = np.array([sum(prices[w] for w in row) for row in rows]) + draw.normal(size=500) * 0.1
    y = (y - y.mean()) / y.std()
    table = Table({"text": [" ".join(["a", *row]) for row in rows]})
    model, said = learn_text(table, infer_kinds(table, kinds={"text": "text"})["text"], y, None, 0)
    assert model.outputs == ("its words",)
    assert ((said[:, 0] - y) ** 2).mean() < 0.2


def test_words_are_those_of_any_script():
    assert words_of("Straße, ÉTÉ-x 3.5") == ["straße", "été", "x", "3", "5"]
    assert words_of("東京タワー") == list("東京タワー")
    words, weights = learn_words(["a b", "a c", "b"], np.array([1, 1, 1]))
    assert words == ["a", "b"]
    np.testing.assert_allclose(weights, np.log(4 / 3) + 1, rtol=1e-6)
    found = weigh_words(["a a b z", "", "z"], words, weights)
    assert found.starts.tolist() == [0, 2, 2, 2]
    first = 1 + np.log(2)
    np.testing.assert_allclose(found.weights, np.array([first, 1]) / np.hypot(first, 1), rtol=1e-6)
    products = found.products(np.array([[1.0, 0.0], [0.0, 2.0]], np.float32))
    np.testing.assert_allclose(products[0], [found.weights[0], 2 * found.weights[1]], rtol=1e-6)
    assert not products[1:].any()


def test_tf_idf_is_that_of_scikit_learn():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    rows = reviews(200).text("text")
    words, weights = learn_words(rows, np.ones(len(rows), np.int64))
    found = weigh_words(rows, words, weights)
    theirs = text.TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, min_df=2, token_pattern=r"\w+"
    )
    dense = theirs.fit_transform(rows).toarray()
    order = [theirs.vocabulary_[word] for word in words]
    assert len(order) == dense.shape[1]
    np.testing.assert_allclose(
        found.products(np.eye(len(words), dtype=np.float32)), dense[:, order], atol=1e-6
    )


def test_saved_and_read_again():
    table = reviews(300)
    kinds = infer_kinds(table, exclude=["topic"])
    topics = list(TOPICS)
    y = np.array([topics.index(name) for name in table.text("topic")])
    made = TablePreprocessor()
    numeric, _ = made.fit_transform(table, kinds, y=y, classes=topics)
    again = TablePreprocessor.from_config(json.loads(json.dumps(made.to_config())))
    np.testing.assert_array_equal(again.transform(table)[0], made.transform(table)[0])
    # What is said of training rows is not what is said of others.
    assert not np.array_equal(numeric, made.transform(table)[0])
    assert "words and pairs of words" in made.describe()[0]["note"]
    assert made.columns == ["text"]


@pytest.mark.parametrize("change", [{"bias": "AAAA"}, {"words": ["a"]}, {"table": "%%"}])
def test_damaged(change):
    _, (model, _) = learned(reviews(300), list(TOPICS))
    with pytest.raises(FileFormatError, match="train again"):
        TextModel.from_config({**model.to_config(), **change})


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_on_any_number_of_threads(threads):
    before = ss.get_num_threads()
    try:
        ss.set_num_threads(threads)
        _, (model, said) = learned(reviews(300), list(TOPICS))
    finally:
        ss.set_num_threads(before)
    assert float(said.sum()) == pytest.approx(0.0, abs=1e-6)
    _, (other, _) = learned(reviews(300), list(TOPICS))
    np.testing.assert_array_equal(model.table, other.table)


def test_a_table_of_text_alone_trains(tmp_path):
    table = reviews(400, share=0.5)
    path = tmp_path / "notes.csv"
    rows = zip(table.text("text"), table.text("topic"), strict=True)
    path.write_text("text,topic\n" + "".join(f"{a},{b}\n" for a, b in rows))
    run = ss.train(path, target="topic", out=tmp_path / "run")
    assert run.evaluate(path)["accuracy"] > 0.85
    again = ss.load(tmp_path / "run")
    texts = ["the captain and the crew", "butter in the oven", ""]
    assert again.predict({"text": texts}).tolist()[:2] == ["ships", "food"]
