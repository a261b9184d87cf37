// Every test process loads this file. A warning of Node, for example of a leaked listener, fails the running test.
process.on('warning', (warning) => {
  throw warning;
});
