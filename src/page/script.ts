/**
 * The one script of a page: it shows the search, opens the platform of a block, and marks the same layer in all rows. It
 * is text, since it runs in a browser. The page says the same without it.
 */
export const SCRIPT = `
const bar = document.querySelector('.bar');
const rows = [...document.querySelectorAll('details.row')];
if (bar) {
  const input = bar.querySelector('input');
  const found = bar.querySelector('[role=status]');
  const textOf = (row) => {
    row.dataset.text ??= [...row.querySelectorAll('b, summary span, dt, dd, p, td:not(.also), [data-d]')]
      .map((one) => one.dataset.d ?? one.textContent)
      .join(' ')
      .toLowerCase();
    return row.dataset.text;
  };
  bar.hidden = false;
  input.addEventListener('input', () => {
    const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !words.every((word) => textOf(row).includes(word));
    const count = rows.filter((row) => !row.hidden).length;
    found.textContent = words.length ? count + ' of ' + rows.length + ' platforms' : '';
  });
}
const blocks = new Map();
for (const block of document.querySelectorAll('.b')) {
  const same = blocks.get(block.dataset.d) ?? [];
  blocks.set(block.dataset.d, same);
  same.push(block);
  const mark = (on) => same.forEach((one) => one.classList.toggle('on', on));
  for (const name of ['mouseenter', 'focus']) block.addEventListener(name, () => mark(true));
  for (const name of ['mouseleave', 'blur']) block.addEventListener(name, () => mark(false));
  block.addEventListener('click', () => {
    const row = document.getElementById(block.getAttribute('href').slice(1));
    row.hidden = false;
    row.open = true;
  });
}
`;
