import {simulate} from './simulation.ts';
const from=Number(process.argv[2]),to=Number(process.argv[3]);const fails=new Map();let t=Date.now();
for(let s=from;s<to;s++){try{await simulate(s)}catch(e){const k=e.message.split('\n')[0].replace(/^seed \d+: /,'').replace(/\d+/g,'N').slice(0,150);if(!fails.has(k))fails.set(k,[]);fails.get(k).push(s)}}
console.log(to-from,'seeds',Date.now()-t,'ms');for(const [k,v] of fails)console.log(v.length,k,v.slice(0,6).join(','));
