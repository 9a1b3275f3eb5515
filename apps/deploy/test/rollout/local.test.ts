import { localTransport } from '../../src/hosts/local.ts';
import { transportCompliance } from './transport-compliance.ts';

transportCompliance('local', localTransport);
