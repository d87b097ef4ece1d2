/** Some schedulers of a `TinyApi`, as the API tells of them. */
export const TINY_SCHEDULERS = [
  scheduler('EULER_ANCESTRAL_DISCRETE', 'EulerAncestralDiscreteScheduler', [alias('Euler a')]),
  scheduler('EULER_DISCRETE', 'EulerDiscreteScheduler', [alias('Euler'), alias('Euler Karras', 'KARRAS')]),
  scheduler('DPM_SOLVER_MULTISTEP', 'DPMSolverMultistepScheduler', [
    alias('DPM++ 2M'),
    alias('DPM++ 2M Karras', 'KARRAS'),
    alias('DPM++ 2M SDE Karras', 'KARRAS', { algorithm: 'SDE_DPM_SOLVER_PP' }),
    alias('DPM++ 2M Simple', 'DEFAULT', { timestepSpacing: 'TRAILING' }),
  ]),
];

function scheduler(name: string, diffusersClass: string, aliases: readonly object[]) {
  return {
    name,
    diffusersClass,
    aliases,
    suits: 'Tests.',
    refuses: [],
    sigmaSchedules: ['DEFAULT', 'KARRAS'],
    options: [
      { name: 'sChurn', isList: false, values: null, min: 0, max: 1, default: '0' },
      { name: 'timesteps', isList: true, values: null, min: 0, max: null, default: null },
    ],
    isStochastic: name.includes('ANCESTRAL'),
    needsDistilled: false,
    usefulSteps: { min: 10, max: 50 },
    evaluations: 20,
  };
}

function alias(name: string, sigmaSchedule = 'DEFAULT', samplerOptions = {}) {
  return { name, sigmaSchedule, samplerOptions };
}
