"""Records torch.randn on the CPU for seeds and sizes on both sides of every rule."""

import torch

from fixture import write_floats, write_json_lines

# The last four equal others: only the low 32 bits count.
SEEDS = [0, 1, 42, 1234567890, 2**32 - 1, 2**32, 2**32 + 42, 2**63, 2**64 - 1]
# Below 16; one block; a block and a tail; 4x9x9 is a latent with odd sides; 1024 words is more than one twist.
SIZES = [[1], [5], [15], [16], [17], [31], [324], [1024]]
# A value kept from a short draw survives the long one that follows it.
SEQUENCES = [[5, 32, 3], [1, 1, 1, 16, 2], [17, 3, 17], [3, 1024, 15]]


def main() -> None:
    rows, draws = [], []
    for seed in SEEDS:
        for counts in SIZES + SEQUENCES:
            generator = torch.Generator().manual_seed(seed)
            rows.append({"seed": str(seed), "counts": counts, "offset": sum(draw.size for draw in draws)})
            draws += [torch.randn(count, generator=generator).numpy() for count in counts]
    write_json_lines("noise.json", rows)
    write_floats("noise.f32.gz", draws)


if __name__ == "__main__":
    main()
