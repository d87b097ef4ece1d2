/**
 * How far the mean of a chunk's states may be corrected. The means of CLIP's states lie near zero in some models,
 * where a quotient of two of them says nothing: without bounds a weight of 5 turned pico's states round and
 * made them twelve times as large.
 */
const CORRECTION_MAX = 2;

/**
 * Multiplies the hidden states of one chunk, [positions, D], by the weights of its positions, and then all of them
 * by one number that gives the chunk the mean that it had: AUTOMATIC1111's "original" emphasis, within bounds.
 * In place.
 */
export function weighStates(states: Float32Array, weights: readonly number[]): void {
  const width = states.length / weights.length;
  const correction = correctionOf(states, weights);
  for (const [position, weight] of weights.entries()) {
    const factor = weight * correction;
    const end = (position + 1) * width;
    for (let k = position * width; k < end; k += 1) states[k] = factor * (states[k] ?? 0);
  }
}

function correctionOf(states: Float32Array, weights: readonly number[]): number {
  const width = states.length / weights.length;
  let sum = 0;
  let weighted = 0;
  for (const [position, weight] of weights.entries()) {
    const ofPosition = states.subarray(position * width, (position + 1) * width).reduce((a, b) => a + b, 0);
    sum += ofPosition;
    weighted += weight * ofPosition;
  }
  const correction = sum / weighted;
  // Where the sign has changed there is no mean to go back to.
  if (!(correction > 0)) return 1;
  return Math.min(Math.max(correction, 1 / CORRECTION_MAX), CORRECTION_MAX);
}
