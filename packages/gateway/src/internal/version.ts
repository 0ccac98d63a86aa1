/** As in `package.json`, which the bundle does not contain; a test keeps the two equal. */
export const version = "0.0.0"
