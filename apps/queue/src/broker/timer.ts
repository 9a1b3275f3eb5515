/** The longest that a timer of Node can be set; one set for longer would fire at once. */
export const timerMsMax: number = 2 ** 31 - 1;
