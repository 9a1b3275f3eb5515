/**
 * What every server of Rookery does besides its own work: settings, log, metrics, admin HTTP, lifecycle, and the
 * conventions of its command line. See the package's README for a server that uses all of it.
 *
 * @module
 */

export { type AdminReply, reply } from './admin/answer.ts';
export { ADMIN_STATUS, AdminError, type AdminErrorCode } from './admin/errors.ts';
export type { Feed, FeedLimits } from './admin/feed.ts';
export { isLoopback } from './admin/guard.ts';
export type { ReadinessCheck } from './admin/health.ts';
export { ADMIN_LIMITS, type AdminLimits } from './admin/limits.ts';
export type { AdminMethod } from './admin/router.ts';
export {
  type Admin,
  type AdminHandler,
  type AdminOptions,
  type AdminRequest,
  createAdmin,
} from './admin/server.ts';
export { useColor } from './cli/color.ts';
export { linesOf, wholeOf } from './cli/input.ts';
export { aborted, interruptible } from './cli/interruption.ts';
export { createOutput, type Output } from './cli/output.ts';
export { type CliOutput, EXIT, runCli, setExitCode } from './cli/run.ts';
export { type Served, type ServeOptions, serve } from './cli/serve.ts';
export { table } from './cli/table.ts';
export { errorMessage, ServiceError, type ServiceErrorCode } from './errors.ts';
export {
  createLifecycle,
  type Deadline,
  type Lifecycle,
  type LifecycleOptions,
  type LifecycleState,
  type Part,
  type StopReason,
} from './lifecycle/lifecycle.ts';
export { type ProcessOptions, runProcess } from './lifecycle/process.ts';
export { listenError } from './listen/error.ts';
export { closeServer, listenTcp, listenUnix } from './listen/listen.ts';
export {
  createLogger,
  flushLog,
  LOG_FORMATS,
  LOG_LEVELS,
  type Log,
  type LogDestination,
  type LogFormat,
  type LogLevel,
  type LogOptions,
  setLogLevel,
} from './log/log.ts';
export { type Histogram, type HistogramOptions, LATENCY_BUCKETS_SECONDS } from './metrics/histogram.ts';
export {
  createMetrics,
  type MetricLabels,
  type MetricOptions,
  type MetricSample,
  type Metrics,
  type MetricsOptions,
} from './metrics/metrics.ts';
export { type Choice, type Chosen, choose, type Figures, parseChoice } from './page/choose.ts';
export { type PageParts, page } from './page/page.ts';
export { program, type Rookery } from './page/script.ts';
export { type CommonSettings, commonSettings } from './settings/common.ts';
export {
  defineSettings,
  type Setting,
  type SettingsDefinition,
  type SettingsShape,
  type SettingsTable,
  type SettingsValues,
  setting,
  settingsTable,
  type TablesShape,
  type TableValues,
  tableOf,
  type ValuesOf,
} from './settings/define.ts';
export {
  describeSettings,
  dumpSettings,
  exampleFile,
  type SettingDescription,
  type SettingDump,
  settingsForLog,
} from './settings/dump.ts';
export type { SettingsFile } from './settings/file.ts';
export {
  changesBetween,
  type LoadedSettings,
  loadSettings,
  type ReloadedSettings,
  type SettingChange,
} from './settings/load.ts';
export { snakeCase } from './settings/names.ts';
export { addSettingsOptions } from './settings/options.ts';
export {
  type ResolvedSettings,
  resolveSettings,
  type SettingSource,
  type SettingsInput,
  settingsOver,
} from './settings/resolve.ts';
export {
  type Address,
  address,
  boolean,
  byteSize,
  choice,
  decimal,
  durationMs,
  formatAddress,
  integer,
  list,
  port,
  type Range,
  syncMode,
  text,
} from './settings/schemas.ts';
export {
  approximateBytes,
  formatBytes,
  formatDuration,
  parseBytes,
  parseDuration,
} from './settings/units.ts';
