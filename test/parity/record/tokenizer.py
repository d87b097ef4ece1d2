"""Records the token ids that transformers' CLIPTokenizer gives for a corpus of awkward prompts."""

import itertools
import random

from transformers import CLIPTokenizer

from fixture import BUNDLE, write_json_lines

SUBJECTS = ["a red apple", "an umbrella", "the CASTLE", "two soccer balls", "a photo of a dog's nose", "robot #7"]
STYLES = ["", ", blue background", ", trending on artstation", " in the style of Van Gogh", "; 8k, f/1.8, 35mm"]
QUOTES = ["it's", "IT'S", "don't", "we're", "they've", "I'm", "you'll", "he'd", "'s", "'S 's't're", "rock'n'roll", "it\u2019s"]
NUMBERS = ["0", "12", "2024", "1,000.50", "3.14159", "1e10", "\u00bd \u00b2 \u00b3", "\u0661\u0662\u0663", "\u2167 \u216b", "007x42", "\u4e00\u4e8c\u4e09", "\U0001d7d8\U0001d7d9"]
SCRIPTS = [
    "\u4e00\u53ea\u7ea2\u82f9\u679c",
    "\u8d64\u3044\u308a\u3093\u3054\u3001\u9752\u3044\u80cc\u666f",
    "\ube68\uac04 \uc0ac\uacfc",
    "\u1112\u1161\u11ab",
    "\u062a\u0641\u0627\u062d\u0629 \u062d\u0645\u0631\u0627\u0621",
    "\u05ea\u05e4\u05d5\u05d7 \u05d0\u05d3\u05d5\u05dd",
    "\u043a\u0440\u0430\u0441\u043d\u043e\u0435 \u042f\u0411\u041b\u041e\u041a\u041e",
    "\u039a\u03cc\u03ba\u03ba\u03b9\u03bd\u03bf \u03bc\u03ae\u03bb\u03bf \u039f\u0394\u039f\u03a3 \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03a3",
    "\u0938\u0947\u092c \u0932\u093e\u0932",
    "\u0e41\u0e2d\u0e1b\u0e40\u0e1b\u0e34\u0e49\u0e25",
    "\u10d5\u10d0\u10e8\u10da\u10d8 \u1c95\u1c90",
    "\u0130stanbul I\u0131i\u0130",
    "Stra\u00dfe STRA\u1e9eE",
    "\u01c5 \u01c8 \u1f88 \ufb01 \ufb03",
    "cafe\u0301 caf\u00e9 CAFE\u0301 \u212b \u00c5 A\u030a",
    "\u13a0\u13a1 \uab70",
    "\u0345\u03b1\u0345",
]
EMOJI = [
    "\U0001f34e",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f3f3\ufe0f\u200d\U0001f308",
    "\U0001f44d\U0001f3fd",
    "\u2764\ufe0f",
    "\U0001f1eb\U0001f1f7\U0001f1e9",
    "1\ufe0f\u20e3 #\ufe0f\u20e3",
    "\U0001f34e\U0001f34e\U0001f34e red\U0001f34eapple",
    "\U0001faf1\U0001f3fb\u200d\U0001faf2\U0001f3ff",
]
SPECIAL = [
    "<|startoftext|>",
    "<|endoftext|>",
    "a<|endoftext|>b",
    " <|startoftext|> a red apple <|endoftext|> ",
    "<|ENDOFTEXT|>",
    "!!<|STARTOFTEXT|>!!",
    "a<|StartOfText|>!!",
    "<|endoftext|><|endoftext|>",
    "<|endoftext|",
    "<|end oftext|>",
    "|>endoftext<|",
    "[MASK] <s> </s> <pad> </w> w</w>",
]
SPACES = [" ", "\t", "\n", "\r\n", "\v\f", "\x85", "\xa0", "\u1680", "\u2003", "\u2028\u2029", "\u202f", "\u3000", "\ufeff", "\u200b", "\x00", "\x1c", "\u180e"]
PUNCTUATION = ["!!!", "...", "\u2026", "--", "(word:1.2)", "[a|b]", "{x}", "a_b", "a-b", "C++", "@me", "50%", "\"hi\"", "\u00abquoted\u00bb", "\\n", "`code`", "~^", "a/b\\c", "\u00a1\u00bf"]
LONG = [
    "apple " * 74,
    "apple " * 75,
    "apple " * 76,
    "apple " * 200,
    "a" * 300,
    "\U0001f34e" * 60,
    "xyzzy" * 100,
    "\u4e00" * 90,
    "1" * 75,
    "1" * 77,
    "apple " * 75 + "<|endoftext|>",
]
# One range per script, and the ends of the planes.
RANGES = [(0x20, 0x7F), (0x80, 0x24F), (0x250, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF), (0x1E00, 0x20CF), (0x2100, 0x2BFF), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFE00, 0xFFFD), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF)]
RANDOM_STRINGS = 300


def zalgo(rng: random.Random, text: str) -> str:
    return "".join(c + "".join(chr(rng.randint(0x300, 0x36F)) for _ in range(rng.randint(1, 8))) for c in text)


def random_string(rng: random.Random) -> str:
    ranges = rng.sample(RANGES, rng.randint(1, 4))
    return "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(1, 40)))


def corpus() -> list[str]:
    rng = random.Random(7)
    texts = [subject + style for subject, style in itertools.product(SUBJECTS, STYLES)]
    texts += ["", " ", *QUOTES, *NUMBERS, *SCRIPTS, *EMOJI, *SPECIAL, *PUNCTUATION, *LONG]
    texts += [form.format(s=space) for space in SPACES for form in ("a{s}red{s}{s}apple", "{s}a red apple{s}", "{s}", "!{s}!", "1{s}'s")]
    texts += [text.upper() for text in SCRIPTS] + [f"a {emoji} on 2 {script}s" for emoji, script in zip(EMOJI, SCRIPTS)]
    texts += [zalgo(rng, text) for text in SUBJECTS]
    texts += [f"\u202e{text}\u202c" for text in SUBJECTS]
    texts += [random_string(rng) for _ in range(RANDOM_STRINGS)]
    return list(dict.fromkeys(texts))


def main() -> None:
    tokenizer = CLIPTokenizer.from_pretrained(str(BUNDLE / "tokenizer"))
    rows = []
    for text in corpus():
        whole = tokenizer(text).input_ids
        ids = tokenizer(text, padding="max_length", max_length=77, truncation=True).input_ids
        # Padding repeats the end token: kept once, it says the rest.
        rows.append({"text": text, "tokenCount": len(whole) - 2, "ids": ids[: min(len(whole), 77)]})
    print(len(rows), "strings")
    write_json_lines("tokenizer.json", rows)


if __name__ == "__main__":
    main()
