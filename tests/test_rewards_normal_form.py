"""The normal form keeps what distinguishes answers, and nothing else: pairs by hand, and what holds for any text."""

import unicodedata
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turnenv.rewards import answer_presence, contains, exact_match, fold, fuzzy_match, normalise
from turnenv.rewards.words import whole_words


def decomposed(text):
    return unicodedata.normalize("NFD", text)


EQUAL = [
    ("5", "5.0", "5.00", "5.", "+5", "(5)", "$5", "5%", "5 %", "５", "٥", "५"),
    (".5", "0.5", "0.50", "1/2", "½", "$.50", "1⁄2"),
    ("-5", "-5.0", "\u22125", "\uff0d5", "-$5", "(-5)", "\u20135"),
    ("1,000", "1000", "1000.0", "1'000", "1’000", "1\u00a0000", "1\u202f000", "1\u2009000"),
    ("1,234,567", "12,34,567", "1234567"),
    ("1.5 million", "1,500,000", "1500000", "$1.5 million", "1½ million", "1 1/2 million"),
    ("5 hundred thousand", "500,000", "½ million"),
    ("3/4", "¾", "0.75", ".75"),
    ("1½", "1 1/2", "1.5", "1.50"),
    ("0", "-0", "0.0"),
    ("10²", "10^2"),
    ("10⁻³", "10^-3"),
    ("1e-6", "1E−6"),
    ("1e+6", "1e6"),
    ("≥5", ">=5", "≥ 5".replace(" ", "")),
    ("3.14", "٣٫١٤"),
    ("€5", "€5.00"),
    ("−€5", "-€5.0"),
    ("5.0 km", "5 km", "the 5 km", "5.00\u00a0km"),
    ("1914-1918", "1914–1918", "1914 - 1918", "1914−1918", "1914 1918"),
    ("C++", "c++", "C++.", "“C++”", "Ｃ＋＋"),
    ("C#", "c#", "(C#)", "C＃"),
    ("A", "a", "A.", "'a'", "the A", "An A"),
    ("The The", "the the", "The The!"),
    ("Hepatitis A", "hepatitis a", "the Hepatitis A.", "Hepatitis\u00a0A"),
    ("A+", "a+"),
    ("A-", "a−", "A–"),
    ("Zürich", decomposed("Zürich"), "ZÜRICH", "zü\u200brich"),
    ("한국", decomposed("한국")),
    ("Ἀθῆναι", decomposed("Ἀθῆναι"), "ἈΘΗ͂ΝΑΙ"),
    ("Jean-Pierre", "Jean\u2010Pierre", "Jean\u2011Pierre", "Jean\u2013Pierre", "Jean\u2212Pierre", "JeanPierre"),
    ("Paris France", "Paris – France", "Paris—France", "Paris \u2014 France", "Paris\u2003France", "Paris\nFrance"),
    ("O'Neill", "O’Neill", "O\u02bcNeill", "O´Neill", "O`Neill", "O′Neill", "ONeill"),
    ("Hawaii", "Hawaiʻi", "Hawai'i"),
    ("Nord", "«Nord»", "„Nord“", "‹Nord›", "‚Nord‘", "”Nord”", "¡Nord!", "Nord…"),
    ("Ulm", "\ufeffUlm", "Ulm\u200e", "U\u00adlm", "\u2066Ulm\u2069", "U\u2060lm", "Ul\u200dm"),
    ("5'", "5′"),
    ("Straße", "STRASSE", "strasse"),
    ("fine", "ﬁne", "ｆｉｎｅ"),
    ("H₂O", "H2O"),
    ("Henry VIII", "Henry Ⅷ"),
    ("北京", "北京。", "「北京」", "《北京》！", "北京？"),
    ("北京 上海", "北京、上海", "北京，上海", "北京・上海"),
    ("カタカナ", "ｶﾀｶﾅ"),
    ("कखग", "कखग।"),
    ("Kleenex", "Kleenex®", "Kleenex™"),
    ("!!!", " !!! "),
]

DIFFERENT = [
    ("5", "-5", "15", "1.5", "50", "500", "<5", ">5", "≥5", "≤5", "5‰", "5,5", "18+", "€5", "£5"),
    ("1.10", "110", "1.1.0", "1:10", "1/10"),
    ("19840", "1984", "1984.5", "'19'84"),
    ("1.5 million", "15 million", "1.5", "1.5 billion", "15"),
    ("34", "3/4", "3.4", "3:4", "3-4", "4/3", "6/8"),
    ("330", "3:30", "3.30", "3-30"),
    ("1,5", "15", "1.5", "1, 5"),
    ("1.000.000", "1000000", "1"),
    ("007", "7", "07"),
    ("½", "12", "2", "1"),
    ("1½", "112", "11/2", "2.5"),
    ("10²", "102", "10^3", "10^-2", "10"),
    ("1e-6", "1e6", "16"),
    ("2+2", "22", "2"),
    ("1-0", "10", "1:0", "0-1"),
    ("16:9", "169", "16/9"),
    ("1914-1918", "19141918", "1914-19"),
    ("1914-05-12", "19140512", "12/05/1914", "05/12/1914"),
    ("192.168.0.1", "19216801", "1921.68.0.1"),
    ("+49 89", "4989"),
    ("Python 3.10", "Python 3.1", "Python 310", "Python 3.11"),
    ("John 3:16", "John 316", "John 3.16"),
    ("5′10″", "510", "5.10"),
    ("C", "C++", "C#", "C+"),
    ("F", "F#", "F+"),
    ("A", "An", "The", "A+", "A-", "A#", ""),
    ("O", "O+", "O-"),
    ("Hepatitis A", "Hepatitis", "Hepatitis B"),
    ("Vitamin A", "Vitamin", "Vitamin An"),
    ("The The", "The", "The A"),
    ("Zürich", "Zurich", "Zuerich"),
    ("北京", "南京", "北", "京北"),
    ("!", "?", "!!!", "&"),
    ("Paris", "Раris", "Pаris", "Ρaris"),  # Cyrillic and Greek letters
    ("10", "1O", "l0", "IO", "1०0"),
]


@pytest.mark.parametrize("texts", EQUAL, ids=lambda texts: ascii(texts[0]))
def test_equal(texts):
    assert {text: normalise(text) for text in texts} == dict.fromkeys(texts, normalise(texts[0]))
    for one, other in combinations(texts, 2):
        assert exact_match(one, [other]) == exact_match(other, [one]) == 1.0
        assert answer_presence(one, [other]) == fuzzy_match(one, [other]) == 1.0
        assert contains(one, [other])


@pytest.mark.parametrize("texts", DIFFERENT, ids=lambda texts: ascii(texts[0]))
def test_different(texts):
    for one, other in combinations(texts, 2):
        assert exact_match(one, [other]) == exact_match(other, [one]) == 0.0, (one, other)
        assert fuzzy_match(one, [other]) < 1.0


def test_two_articles_are_no_answer_without_a_difference():
    assert normalise("a the") == "the"
    assert normalise("the a the band") == "band"


PIECES = [
    *("a", "an", "the", "A", "The", "b", "5", "0", "1", "00", "10", "5.0", "1/2", "6/8", ".", "-", "−", "+", "#", "'"),
    *("/", "½", "²", "€", "$", "<", "=", "^", "e", "E", " ", " ", "million", "hundred", "\u200b", "\u0301", "東", "京"),
    *("。", "ก", "ำ", "็", "_", "!", "(", "ß", "…", "´", "‘", "–", "—", ":", "\u00a0", "\u202f", ",", "000", "C", "°"),
    *(
        "Å",
        "ı",
        "İ",
        "ǆ",
        "ŉ",
        "ᾳ",
        "\u0345",
        "한",
        "\u1112",
        "\u1161",
        "²³",
        "٣",
        "「",
        "·",
        "\n",
        "ﬁ",
        "®",
        "≤",
        "億",
    ),
    *(", the", " (the)"),
]
TEXTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), st.text(max_size=12))


@given(TEXTS)
@example("5.0 1/2")
@example("1 1/2 million")
@example("5 a million the")
@example("5e+'5")
@example("5'e+5")
@example("a'\u0301")
@example("α'\u0345")
def test_applied_twice_it_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)
    assert fold(fold(text)) == fold(text)


@given(TEXTS)
@example("5 a million the")
@example("b 5.0 1/2 1/2")
def test_every_text_is_itself(text):
    if form := normalise(text):
        assert exact_match(text, [text]) == answer_presence(text, [text]) == fuzzy_match(text, [text]) == 1.0
        assert contains(text, [text])
        assert contains(form, [text])
        assert contains(text, [form])


@given(TEXTS, TEXTS)
def test_equality_is_symmetric_and_equal_texts_contain_each_other(one, other):
    equal = exact_match(one, [other])
    assert equal == exact_match(other, [one])
    if equal:
        assert contains(one, [other])
        assert contains(other, [one])


@given(TEXTS)
def test_a_text_is_the_same_composed_and_decomposed(text):
    for form in ("NFC", "NFD", "NFKC"):
        again = unicodedata.normalize(form, fold(text))
        assert normalise(again) == normalise(text) == normalise(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize("text", ["a " * 500_000, "5,000" * 200_000, "1 1/2 million " * 70_000, "9" * 1_000_000])
def test_a_megabyte_takes_no_time_to_speak_of(text):
    assert contains(text + " Paris", ["Paris"])


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("Hotels of Parisian style", 15, "Hotels of"),
        ("Hotels of Parisian style", 18, "Hotels of Parisian"),
        ("Hotels of Parisian style", 19, "Hotels of Parisian"),
        ("Hotels of Parisian style", 100, "Hotels of Parisian style"),
        ("Parisian", 5, ""),
        ("about 1,000 of", 8, "about"),
        ("about 1\u00a0000 of", 7, "about"),
        ("首都は東京です。", 5, "首都は東京"),
        ("約5億円", 2, "約"),
        ("ก็ดี", 1, ""),
        ("は\u3099", 1, ""),
        ("", 1, ""),
    ],
)
def test_whole_words(text, limit, kept):
    assert whole_words(text, limit) == kept
