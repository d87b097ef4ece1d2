/** Whether a suite that lacks a real part must fail instead of being skipped. */
export const isCi = process.env.CI === 'true';
