import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from '../log/log.ts';
import { type Setting, setting } from './define.ts';
import { choice, durationMs, list, port, text } from './schemas.ts';

/** What every server of Rookery can be told, besides what is its own. */
export interface CommonSettings {
  readonly logLevel: Setting<LogLevel>;
  readonly logFormat: Setting<LogFormat>;
  readonly adminHost: Setting<string>;
  readonly adminPort: Setting<number>;
  readonly adminToken: Setting<string | undefined>;
  readonly adminAllowedHosts: Setting<string[]>;
  readonly stopTimeoutMs: Setting<number>;
}

/** The common settings, to be spread into `defineSettings({ settings: { ...commonSettings({ adminPort }), … } })`. */
export function commonSettings(defaults: { readonly adminPort: number }): CommonSettings {
  return {
    logLevel: setting({
      schema: choice(LOG_LEVELS),
      default: 'info',
      description: 'Least severe level that is logged',
      reason: 'info tells of starts, stops and faults, and nothing per request.',
      reload: 'live',
    }),
    logFormat: setting({
      schema: choice(LOG_FORMATS),
      default: 'auto',
      description: 'json, pretty, or auto for pretty on a terminal and json elsewhere',
      reason: 'Machines read JSON, people read lines.',
    }),
    adminHost: setting({
      schema: text({ max: 255 }),
      default: '127.0.0.1',
      description: 'Address of the admin HTTP server; beyond loopback it needs admin_token',
      reason: 'Nobody but this machine gets in until somebody says so.',
    }),
    adminPort: setting({
      schema: port(),
      default: defaults.adminPort,
      description: 'Port of the admin HTTP server; 0 takes a free one',
      reason: 'Apart from the data port, so that a firewall can tell them apart.',
    }),
    adminToken: setting<string | undefined>({
      schema: text({ max: 1024 }).optional(),
      default: undefined,
      description: 'Bearer token that admin requests must carry',
      reason: 'Loopback needs none; elsewhere there is no default that would be safe.',
      secret: true,
    }),
    adminAllowedHosts: setting({
      schema: list(text({ max: 255 })),
      default: [],
      description: 'Host names besides localhost by which browsers may reach the admin server',
      reason: 'A closed list stops DNS rebinding.',
    }),
    stopTimeoutMs: setting({
      schema: durationMs({ min: 100, max: 3_600_000 }),
      default: 25_000,
      description: 'Longest time that a stop may take before it is forced',
      reason: 'Ends before the 30 s after which Kubernetes kills.',
      unit: 'ms',
    }),
  };
}
