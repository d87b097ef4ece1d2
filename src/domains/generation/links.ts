/** Where a stored object can be fetched for a while. */
export interface ImageLink {
  readonly url: string;
  readonly expiresAt: Date;
}

/** Signs links to stored objects. No look-up and no network: several are made for every picture shown. */
export interface ImageLinks {
  /** `filename` is what a browser saves the picture as. */
  link(objectKey: string, options: { readonly filename: string }): Promise<ImageLink>;
}
