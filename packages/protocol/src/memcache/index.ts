export * from './errors.ts';
export * from './limits.ts';
export type * from './requests.ts';
