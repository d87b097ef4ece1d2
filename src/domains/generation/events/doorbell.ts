/** Channels of LISTEN and NOTIFY. Payloads are ids only: NOTIFY knows no grants. */
export const QUEUE_CHANNEL = 'darkroom_queue';
export const EVENTS_CHANNEL = 'darkroom_events';
export const CANCEL_CHANNEL = 'darkroom_cancel';

/** Tells other processes that something changed. A hint: whoever waits also looks by itself. */
export interface Bell {
  /**
   * Rings soon, together with what else is rung meanwhile. Resolves once that is done, with whether it was sent;
   * never rejects.
   */
  ring(channel: string, id: string): Promise<boolean>;
}

/** Hears what others ring. */
export interface Doorbell {
  /** Calls `onRing` with each id rung on `channel`, and with null when rings may have been missed. */
  onRing(channel: string, onRing: (id: string | null) => void): () => void;
}
