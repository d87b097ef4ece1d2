"""
Records what a scheduler does with the options that it reads: spacings, align-your-steps, timesteps and sigmas from
outside, a zero terminal SNR, solver orders and algorithms, and the strengths of noise.
"""

import itertools

from fixture import write_frames, write_json_lines
from run_scheduler import CLASSES, Setup, answers, describe, prepare, trajectory

SPACINGS = ["linspace", "leading", "trailing"]
UNSPACED = {"DPM_SOLVER_SINGLESTEP", "LCM", "TCD"}
CUSTOM = ["DDPM", "EULER_DISCRETE", "HEUN_DISCRETE", "DPM_SOLVER_MULTISTEP", "DPM_SOLVER_SINGLESTEP", "LCM", "TCD"]
ALIGNED = [999, 850, 736, 645, 545, 455, 343, 233, 124, 24]
ALIGNED_SIGMAS = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.0]
FEW = [900, 500, 499, 20]
# These put 2^-24 in the place of an alpha-bar of 0; the others divide by it where the model predicts epsilon.
ZERO_SNR = ["EULER_DISCRETE", "EULER_ANCESTRAL_DISCRETE", "DPM_SOLVER_MULTISTEP", "UNI_PC_MULTISTEP"]
ZERO_SNR_DIVIDING = ["DDIM", "DDPM", "LCM", "TCD"]


def case(name: str, steps: int, **more) -> dict:
    return {"scheduler": name, "sigmaSchedule": "DEFAULT", "predictionType": "epsilon", "steps": steps} | more


def spaced():
    for name, (_, schedules) in CLASSES.items():
        if name in UNSPACED:
            continue
        curves = [each for each in ("DEFAULT", "KARRAS") if each in schedules]
        for spacing, curve, steps in itertools.product(SPACINGS, curves, [7, 16]):
            # DPMSolverSDE's noise is a tree's; the grid has it.
            if name == "DPM_SOLVER_SDE":
                continue
            row = case(name, steps, sigmaSchedule=curve, options={"timestepSpacing": spacing})
            yield row, Setup({"timestep_spacing": spacing})


def listed():
    for name in CUSTOM:
        yield case(name, 10, sigmaSchedule="AYS"), Setup(timesteps=ALIGNED)
        yield case(name, 4, options={"timesteps": FEW}), Setup(timesteps=FEW)
    for sigmas in (ALIGNED_SIGMAS, [12.5, 3, 0.5, 0.1]):
        yield case("EULER_DISCRETE", len(sigmas) - 1, options={"sigmas": sigmas}), Setup(sigmas=sigmas)


def zero_snr():
    for name in ZERO_SNR + ZERO_SNR_DIVIDING:
        predictions = ["epsilon", "v_prediction"] if name in ZERO_SNR else ["v_prediction"]
        for prediction, spacing in itertools.product(predictions, ["leading", "trailing"]):
            options = {} if name in UNSPACED else {"timestepSpacing": spacing}
            row = case(name, 10, predictionType=prediction, options=options, zeroTerminalSnr=True)
            yield row, Setup({"timestep_spacing": spacing, "rescale_betas_zero_snr": True})


def solvers():
    product = itertools.product([1, 2, 3], ["dpmsolver++", "sde-dpmsolver++"], ["DEFAULT", "KARRAS"], [10, 25], [1, 0.6])
    for order, algorithm, curve, steps, strength in product:
        options = {"solverOrder": order, "algorithm": algorithm}
        row = case("DPM_SOLVER_MULTISTEP", steps, sigmaSchedule=curve, strength=strength, options=options)
        yield row, Setup({"solver_order": order, "algorithm_type": algorithm})


def noisy():
    predictions = ["epsilon", "v_prediction"]
    for (name, eta), prediction in itertools.product([("DDIM", 0.5), ("DDIM", 1), ("TCD", 0.3), ("TCD", 1)], predictions):
        for strength in (1, 0.6):
            row = case(name, 10, predictionType=prediction, strength=strength, options={"eta": eta})
            yield row, Setup(step={"eta": eta})
    for churn, noise, prediction in itertools.product([2, 40], [1, 1.003], predictions):
        row = case("EULER_DISCRETE", 10, predictionType=prediction, options={"sChurn": churn, "sNoise": noise})
        yield row, Setup(step={"s_churn": churn, "s_noise": noise})


def main() -> None:
    given = answers()
    rows, frames = [], []
    for group in (spaced, listed, zero_snr, solvers, noisy):
        for row, setup in group():
            run = prepare(row, setup)
            rows.append({"group": group.__name__} | row | describe(run) | {"frame": len(frames)})
            frames += trajectory(run, given)[0]
    print(len(rows), "cases")
    write_json_lines("options.json", rows)
    write_frames("options.i16.gz", frames)


if __name__ == "__main__":
    main()
