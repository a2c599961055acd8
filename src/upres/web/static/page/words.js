// What the page was sent with: its language, its words, the limits; and numbers as people read them.

const data = JSON.parse(document.getElementById("page-data").textContent);

export const language = data.language;
export const limits = data.limits;
export const keyNeeded = data.keyNeeded;

export function t(key, values = {}) {
  const text = data.words[key];
  if (text === undefined) throw new Error(`no words for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const has = (key) => key in data.words;

export const modelName = (name) => (has(`model_${name}`) ? t(`model_${name}`) : name);

const plain = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const finest = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });

export const number = (value) => plain.format(value);
export const percent = (part) => t("percent", { n: plain.format(Math.floor(part * 100)) });

export function factor(value) {
  return `×${finest.format(value)}`;
}

export function size(width, height) {
  return `${plain.format(width)} × ${plain.format(height)}`;
}

export function bytes(value) {
  if (value < 1e6) return `${plain.format(Math.max(1, value / 1e3))} KB`;
  return `${(value < 1e7 ? fine : plain).format(value / 1e6)} MB`;
}

export const megapixels = (value) => fine.format(value / 1e6);

export function seconds(value) {
  if (value < 9.95) return t("seconds", { n: fine.format(Math.max(0.1, value)) });
  if (value < 90) return t("seconds", { n: plain.format(value) });
  if (value < 5400) return t("minutes", { n: plain.format(value / 60) });
  return t("hours", { n: fine.format(value / 3600) });
}
