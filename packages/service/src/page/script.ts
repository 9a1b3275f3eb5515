import { type MakeChart, makeCharts } from './chart.ts';
import { makeKit, type PageKit } from './kit.ts';
import { type MakeTable, makeTables } from './table.ts';

/** What a page's script has as `rookery`. */
export interface Rookery extends PageKit {
  /** A chart of lines over the last minutes. */
  readonly chart: MakeChart;
  /** A table of some of many rows, that the server sorts and cuts by `parseChoice` and `choose`. */
  readonly table: MakeTable;
}

/**
 * Functions go to the browser as their source text: that they are checked and formatted as everything else is worth
 * that they may use nothing from outside themselves.
 */
export const PAGE_SCRIPT: string = `
const rookery = ((kit) => ({ ...kit, chart: (${makeCharts})(kit), table: (${makeTables})(kit) }))((${makeKit})());
`;

/** Functions of a page, by name. */
type Parts = Readonly<Record<string, (...given: never[]) => unknown>>;

/**
 * The script of a page whose program is a function: it may use nothing but what it is given and the browser's own.
 * `parts` are further functions for it, so that a page needn't be one of them.
 */
export function program<Given extends Parts>(
  run: (rookery: Rookery, parts: Given) => void,
  parts: Given = {} as Given,
): string {
  const sources = Object.entries(parts).map(([name, part]) => `${name}: ${part}`);
  return `(${run})(rookery, {${sources.join(',\n')}});\n`;
}
