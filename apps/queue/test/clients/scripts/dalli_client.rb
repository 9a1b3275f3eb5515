# What dalli sees of a server: the argument is its host:port; prints one JSON object.
require 'base64'
require 'dalli'
require 'digest'
require 'json'

Dalli.logger.level = Logger::FATAL
address = ARGV[0]
every_byte = (0..255).to_a.pack('C*')
megabyte = every_byte * 4096
typed = {
  text: 'plain', unicode: 'Grüße, 世界 🚀', integer: 42, negative: -7, huge: 2**80, float: 1.5,
  list: [1, 'two', nil], object: { 'deep' => { er: [true] } }, boolean: true, symbol: :sign,
}
Struct.new('Job', :id, :at)
typed[:struct] = Struct::Job.new(1, Time.at(0))

client = Dalli::Client.new(address, value_max_bytes: 2 * 1024 * 1024, socket_timeout: 10)
raw = { raw: true }
results = {}

results[:version] = client.version.values.first
results[:alive] = client.alive! ? true : false
results[:missing] = client.get('missing')
results[:set] = client.set('plain', 'hello').is_a?(Integer)
results[:get] = client.get('plain')
results[:again] = client.get('plain')

results[:typed] = typed.to_h do |name, value|
  client.set("typed-#{name}", value)
  [name, client.get("typed-#{name}") == value]
end
client.set('bytes', every_byte, 0, raw)
results[:bytes] = Base64.strict_encode64(client.get('bytes'))
client.set('empty', '', 0, raw)
results[:empty] = client.get('empty')
client.set('megabyte', megabyte, 0, raw)
results[:megabyte] = Digest::SHA256.hexdigest(client.get('megabyte'))
compressing = Dalli::Client.new(address, compress: true, compression_min_size: 1000)
large = ['compressible'] * 20_000
compressing.set('compressed', large)
results[:compressed] = compressing.get('compressed') == large

50.times { |number| client.set('order', number) }
results[:order] = (0...50).map { client.get('order') } == (0...50).to_a

# Quiet requests, ended by NOOP.
client.multi do
  100.times { |number| client.set('quiet', number) }
  client.delete('missing')
end
results[:quiet] = (0...100).map { client.get('quiet') } == (0...100).to_a
5.times { |number| client.set("multi-#{number}", "value #{number}") }
results[:multi] = client.get_multi((0..5).map { |number| "multi-#{number}" })
3.times { |number| client.set("multi-#{number}", number) }
results[:multi_cas] = {}
client.get_multi_cas((0..3).map { |number| "multi-#{number}" }) { |key, (value, cas)| results[:multi_cas][key] = [value, cas.is_a?(Integer)] }
many = (0...500).map { |number| "many-#{number}" }
many.each { |key| client.set(key, key * 100) }
results[:multi_large] = client.get_multi(many) == many.to_h { |key| [key, key * 100] }

results[:delete_missing] = client.delete('missing')
client.set('deleted', 1)
client.set('deleted', 2)
results[:delete] = client.delete('deleted')
results[:deleted] = client.get('deleted')
results[:add] = [client.add('added', 1) != false, client.add('added', 2)]
results[:replace_missing] = client.replace('missing', 1)
results[:added] = client.get('added')
results[:append_missing] = client.append('missing', 'x')
results[:incr_missing] = client.incr('missing')
results[:touch_missing] = client.touch('missing', 10)
client.set('fetched', 'kept')
results[:fetch] = client.fetch('fetched') { 'made' }
results[:gat] = client.set('gat', 'value') && client.gat('gat', 10)
client.set('cas', 'value')
results[:get_cas] = client.get_cas('cas').then { |value, cas| [value, cas.positive?] }

3.times { |number| client.set('reliable', "job #{number}") }
results[:reliable] = {
  opened: client.get('reliable/open'),
  next: client.get('reliable/close/open'),
  aborted: client.get('reliable/abort'),
  again: client.get('reliable/open'),
  closed: client.get('reliable/close'),
  peeked: client.get('reliable/peek'),
  waited: client.get('reliable/t=100'),
  timed_out: client.get('reliable/t=100'),
}

spaced = Dalli::Client.new(address, namespace: 'jobs')
spaced.set('named', 'x')
results[:namespace] = [client.get('jobs:named'), spaced.get('named')]
stats = client.stats.values.first
results[:stats] = { version: stats['version'], total_items: Integer(stats['total_items']) }
client.set('flushed', 1)
results[:flush] = [client.flush.first, client.get('flushed')]
client.close

puts JSON.generate(results)
