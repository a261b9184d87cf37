import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.js';
import { targets } from './targets.js';

// The long form: npm run fuzz -- --seconds 600 --seed 7 --target load
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', multiple: true },
    from: { type: 'string', default: '0' },
    count: { type: 'string', default: 'Infinity' },
  },
});

const chosen = targets.filter(({ name }) => values.target === undefined || values.target.includes(name));
if (chosen.length === 0) throw new Error(`no such target; there are ${targets.map(({ name }) => name).join(', ')}`);

for (const target of chosen) {
  const { seed, seconds, from, count } = values;
  try {
    const inputs = await fuzz(target, { seed, seconds: Number(seconds), from: Number(from), count: Number(count) });
    console.log(`${target.name}: ${inputs} inputs from seed ${seed}, no failure`);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
