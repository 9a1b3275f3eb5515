/** Names of recorded files: strftime's letters, in UTC so that no hour comes twice. Pure. */

/** `%Y %m %d %H %M %S` as in strftime, `%s` seconds since 1970, `%g` the group, `%%`. @throws RangeError for others */
export function fileName(pattern: string, group: string, at: Date): string {
  return pattern.replace(/%(.?)/g, (_, letter: string) => {
    switch (letter) {
      case 'Y':
        return String(at.getUTCFullYear());
      case 'm':
        return two(at.getUTCMonth() + 1);
      case 'd':
        return two(at.getUTCDate());
      case 'H':
        return two(at.getUTCHours());
      case 'M':
        return two(at.getUTCMinutes());
      case 'S':
        return two(at.getUTCSeconds());
      case 's':
        return String(Math.floor(at.getTime() / 1000));
      case 'g':
        // A group may be called `../x`.
        return group
          .replace(/[^A-Za-z0-9._-]/g, (character) => `=${character.charCodeAt(0).toString(16)}`)
          .replace(/^\./, '=2e');
      case '%':
        return '%';
      default:
        throw new RangeError(`%${letter} is none of %Y %m %d %H %M %S %s %g %%`);
    }
  });
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

/** When the file that was begun then ends: the next whole `everyMs` since 1970, so that hours end with the hour. */
export function endOf(begunMs: number, everyMs: number): number {
  return everyMs === 0 ? Number.POSITIVE_INFINITY : (Math.floor(begunMs / everyMs) + 1) * everyMs;
}
