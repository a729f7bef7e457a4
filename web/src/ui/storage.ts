// What this browser keeps. A browser may refuse (private windows, a full disk): then nothing is kept,
// and nothing breaks.
const kPrefix = "biwa.";

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(kPrefix + key);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(kPrefix + key, value);
  } catch {
    // See above.
  }
}
