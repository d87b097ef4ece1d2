"""
Records the grid: every scheduler with every prediction type, every sigma schedule that it reads, three step
counts, whole and from the middle. 900 combinations, some of which diffusers refuses; those are recorded too.
"""

import itertools

from fixture import write_floats, write_frames, write_json_lines
from run_scheduler import CLASSES, answers, describe, prepare, trajectory

PREDICTIONS = ["epsilon", "v_prediction", "sample"]
STEPS = [4, 10, 25]
STRENGTHS = [1, 0.6]


def cases():
    for name, (_, schedules) in CLASSES.items():
        for schedule, prediction, steps, strength in itertools.product(schedules, PREDICTIONS, STEPS, STRENGTHS):
            yield {
                "scheduler": name,
                "sigmaSchedule": schedule,
                "predictionType": prediction,
                "steps": steps,
                "strength": strength,
            }


def main() -> None:
    given = answers()
    rows, frames, normals, offsets = [], [], [], {}
    for case in cases():
        run = prepare(case)
        try:
            new, drawn = trajectory(run, given)
        except (NotImplementedError, ValueError) as refusal:
            rows.append(case | {"refused": str(refusal)})
            continue
        row = case | describe(run) | {"frame": len(frames)}
        if drawn:
            # The tree knows nothing of predictions, so one recording serves them all.
            key = (case["sigmaSchedule"], case["steps"], case["strength"])
            if key not in offsets:
                offsets[key] = len(normals)
                normals += drawn
            row["normal"] = offsets[key]
        rows.append(row)
        frames += new
    refused = sum("refused" in row for row in rows)
    print(f"{len(rows)} combinations, {len(rows) - refused} run, {refused} refused")
    write_json_lines("grid.json", rows)
    write_frames("grid.i16.gz", frames)
    write_floats("grid-normals.f32.gz", normals)


if __name__ == "__main__":
    main()
