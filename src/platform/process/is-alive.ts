import { hasSystemCode } from '../../kernel/errors.ts';

/** Whether a process has this number now, whoever owns it. The number may be used again by a stranger. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasSystemCode(error, 'ESRCH');
  }
}
