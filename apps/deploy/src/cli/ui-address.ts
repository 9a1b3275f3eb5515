export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Of a push: one address, so that a page stays open from push to push. */
export const PUSH_UI: ListenAddress = { host: '127.0.0.1', port: 4880 };
/** Another one: pushes are made where a tracker runs. */
export const TRACKER_UI: ListenAddress = { host: '127.0.0.1', port: 4882 };
