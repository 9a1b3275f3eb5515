<?php
// What PHP's memcached extension sees of a server: arguments are host, port and "text" or "binary"; prints one JSON object.
[, $host, $port, $wire] = $argv;
$every_byte = implode('', array_map('chr', range(0, 255)));
$megabyte = str_repeat($every_byte, 4096);
$typed = [
    'text' => 'plain', 'unicode' => 'Grüße, 世界 🚀', 'integer' => 42, 'negative' => -7, 'float' => 1.5,
    'list' => [1, 'two', null], 'object' => ['deep' => ['er' => [true]]], 'true' => true, 'false' => false, 'null' => null,
    'class' => new ArrayObject(['x' => 1]),
];

function connect(array $options = []): Memcached
{
    global $host, $port, $wire;
    $client = new Memcached();
    $client->setOptions($options + [
        Memcached::OPT_BINARY_PROTOCOL => $wire === 'binary',
        Memcached::OPT_TCP_NODELAY => true,
        Memcached::OPT_RECV_TIMEOUT => 10_000_000,
    ]);
    $client->addServer($host, (int) $port);
    return $client;
}

$client = connect();
$results = [];

$results['version'] = array_values($client->getVersion())[0];
$results['missing'] = [$client->get('missing'), $client->getResultMessage()];
$results['set'] = $client->set('plain', 'hello');
$results['get'] = $client->get('plain');
$results['again'] = $client->get('plain');

foreach ($typed as $name => $value) {
    $client->set("typed-$name", $value);
}
foreach ($typed as $name => $value) {
    $got = $client->get("typed-$name");
    $results['typed'][$name] = $client->getResultCode() === Memcached::RES_SUCCESS
        && (is_object($value) ? $got == $value : $got === $value);
}
$as_json = connect([Memcached::OPT_SERIALIZER => Memcached::SERIALIZER_JSON_ARRAY]);
$as_json->set('json', $typed['object']);
$results['json'] = $as_json->get('json') === $typed['object'];
$plain = connect([Memcached::OPT_COMPRESSION => false]);
$plain->set('bytes', $every_byte);
$results['bytes'] = base64_encode($plain->get('bytes'));
$results['empty_set'] = $client->set('empty', '');
$results['empty'] = $client->get('empty');
$results['megabyte_set'] = $plain->set('megabyte', $megabyte);
$results['megabyte'] = hash('sha256', $plain->get('megabyte'));
$large = str_repeat('compressible ', 20_000);
foreach (['fastlz' => Memcached::COMPRESSION_FASTLZ, 'zlib' => Memcached::COMPRESSION_ZLIB] as $name => $type) {
    $compressing = connect([Memcached::OPT_COMPRESSION => true, Memcached::OPT_COMPRESSION_TYPE => $type]);
    $compressing->set("compressed-$name", $large);
    $results['compressed'][$name] = $compressing->get("compressed-$name") === $large;
}
$flagged = connect([Memcached::OPT_USER_FLAGS => 12345]);
$flagged->set('flagged', 'value');
$got = $flagged->get('flagged', null, Memcached::GET_EXTENDED);
$results['extended'] = [$got['value'], $got['flags'], is_int($got['cas'])];

for ($number = 0; $number < 50; $number++) {
    $client->set('order', $number);
}
$results['order'] = array_map(fn () => $client->get('order'), range(0, 49)) === range(0, 49);
$several = [];
for ($number = 0; $number < 5; $number++) {
    $several["multi-$number"] = "value $number";
}
$results['multi_set'] = $client->setMulti($several);
$results['multi'] = $client->getMulti([...array_keys($several), 'multi-5']);
$client->setMulti($several);
$client->getDelayed(array_keys($several));
$results['delayed'] = array_column($client->fetchAll(), 'value', 'key') == $several;

$results['delete_missing'] = [$client->delete('missing'), $client->getResultMessage()];
$client->set('deleted', 1);
$client->set('deleted', 2);
$results['delete'] = $client->delete('deleted');
$results['deleted'] = $client->get('deleted');
$results['add'] = [$client->add('added', 1), $client->add('added', 2), $client->getResultMessage()];
$results['added'] = $client->get('added');
$results['replace_missing'] = $client->replace('missing', 1);
$results['increment_missing'] = $client->increment('missing');
$results['touch_missing'] = $client->touch('missing', 10);

for ($number = 0; $number < 3; $number++) {
    $client->set('reliable', "job $number");
}
$results['reliable'] = [
    'opened' => $client->get('reliable/open'),
    'next' => $client->get('reliable/close/open'),
    'aborted' => $client->get('reliable/abort'),
    'again' => $client->get('reliable/open'),
    'closed' => $client->get('reliable/close'),
    'peeked' => $client->get('reliable/peek'),
    'waited' => $client->get('reliable/t=100'),
    'timed_out' => $client->get('reliable/t=100'),
];

// Writes that are sent together and answered later, or never; a read comes behind them.
$buffering = connect([Memcached::OPT_BUFFER_WRITES => true]);
$silent = connect([Memcached::OPT_NOREPLY => true]);
for ($number = 0; $number < 200; $number++) {
    $buffering->set('buffered', $number);
    $silent->set('noreply', $number);
}
$results['buffered'] = array_map(fn () => $buffering->get('buffered'), range(0, 199)) === range(0, 199);
$results['noreply'] = array_map(fn () => $silent->get('noreply'), range(0, 199)) === range(0, 199);

$stats = array_values($client->getStats())[0];
$results['stats'] = ['version' => $stats['version'], 'total_items' => (int) $stats['total_items']];
$client->set('flushed', 1);
$results['flush'] = [$client->flush(), $client->get('flushed')];
$client->quit();

echo json_encode($results, JSON_THROW_ON_ERROR), "\n";
