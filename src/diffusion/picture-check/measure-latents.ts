/** [C, h, w] of one picture's latents. */
export type LatentShape = readonly [channels: number, height: number, width: number];

/** The root of the mean square; 0 of nothing. */
export function rootMeanSquare(values: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < values.length; k += 1) sum += (values[k] ?? 0) ** 2;
  return values.length === 0 ? 0 : Math.sqrt(sum / values.length);
}

/**
 * The mean squared difference of neighbours by twice the variance within the channels (von Neumann 1941, in both
 * directions): about 1 for white noise, the nearer to 0 the smoother the latents are, and 0 where no channel
 * changes at all.
 */
export function roughnessOf(latents: Float32Array, shape: LatentShape): number {
  let differences = 0;
  let pairs = 0;
  eachNeighbour(shape, (k, next) => {
    differences += ((latents[next] ?? 0) - (latents[k] ?? 0)) ** 2;
    pairs += 1;
  });
  const variance = varianceWithin(latents, shape);
  return variance === 0 ? 0 : differences / pairs / (2 * variance);
}

/**
 * The least-squares slope of `output` on `input`, in what changes from one latent value to the next. A picture is
 * smooth and noise is not, so it tells how much of the input's noise the output repeats: about 1 when it estimates
 * the noise, about 0 when it estimates the picture. 0 where the input does not change at all.
 */
export function noiseSlope(input: Float32Array, output: Float32Array, shape: LatentShape): number {
  let products = 0;
  let squares = 0;
  eachNeighbour(shape, (k, next) => {
    const given = (input[next] ?? 0) - (input[k] ?? 0);
    products += given * ((output[next] ?? 0) - (output[k] ?? 0));
    squares += given ** 2;
  });
  return squares === 0 ? 0 : products / squares;
}

/** Visits every pair of places that are beside or below one another in a channel. */
export function eachNeighbour(
  [channels, height, width]: LatentShape,
  visit: (place: number, next: number) => void,
): void {
  for (let row = 0; row < channels * height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const place = row * width + column;
      if (column < width - 1) visit(place, place + 1);
      if (row % height < height - 1) visit(place, place + width);
    }
  }
}

/** The mean square of what is left of the values when each channel's own mean is taken off. */
function varianceWithin(values: Float32Array, [channels, height, width]: LatentShape): number {
  let variance = 0;
  for (let channel = 0; channel < channels; channel += 1) {
    const plane = values.subarray(channel * height * width, (channel + 1) * height * width);
    const mean = plane.reduce((sum, value) => sum + value, 0) / plane.length;
    variance += plane.reduce((sum, value) => sum + (value - mean) ** 2, 0) / plane.length;
  }
  return variance / channels;
}
