// Loaded by each process of tests: what Node warns of, for one a listener that stays, fails the test that runs.
process.on('warning', (warning) => {
  throw warning;
});
