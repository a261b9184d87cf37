import { storeSuite } from '../../suites/store-suite.js';
import { openLayoutStore } from './layout-folder.js';

storeSuite('OciLayoutStore', openLayoutStore);
