import { InvalidArgumentError, Option } from 'commander';

/** An option that is one of the API's names, in small letters and with dashes or as the API spells it. */
export function choice<Name extends string>(
  flags: string,
  description: string,
  names: Readonly<Record<Name, true>>,
): Option {
  const spelled = Object.keys(names).map(toFlag);
  return new Option(flags, `${description}: ${spelled.join(', ')}`).argParser((text) => {
    const name = toName(text);
    if (!Object.hasOwn(names, name)) throw new InvalidArgumentError(`It is one of ${spelled.join(', ')}.`);
    return name;
  });
}

/** How a name of the API is written on a command line. */
export function toFlag(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

/** How the API would spell what was typed. */
export function toName(text: string): string {
  return text.toUpperCase().replaceAll('-', '_');
}

export function parseWhole(text: string): number {
  if (!/^-?\d{1,10}$/.test(text)) throw new InvalidArgumentError('It is a whole number.');
  return Number(text);
}

/** As many digits as a number is printed with, and its exponent: lists of noise levels are pasted from elsewhere. */
export function parseDecimal(text: string): number {
  if (!/^-?\d{1,10}(?:\.\d{1,20})?(?:e[+-]?\d{1,2})?$/i.test(text))
    throw new InvalidArgumentError('It is a number, such as 7.5.');
  return Number(text);
}
