// Finishes every run that its parent sends, and sends back the latents.
import type { Unfinished } from './resume.ts';
import { finish } from './resume.ts';

process.on('message', (run: Unfinished) => process.send?.(finish(run)));
