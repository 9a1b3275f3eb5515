import { storeCompliance } from './compliance.ts';
import { MemoryStore } from './memory-store.ts';

storeCompliance('MemoryStore', async () => ({ store: new MemoryStore() }));
