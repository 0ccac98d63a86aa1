/** A share as people read it: `98.6 %`. */
export const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`
