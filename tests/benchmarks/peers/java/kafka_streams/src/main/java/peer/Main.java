package peer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The peer: Kafka Streams, with contacts in a RocksDB store that has a cache and a changelog topic.
 *
 * <p>What has been done is committed every second: at least once, with the default of 30 s, a short run would end
 * before anything is written, and exactly once the default of 100 ms costs more. Two threads, for two cores.
 */
public final class Main {
    private static final long CACHE_BYTES = 64L << 20;
    private static final int THREADS = 2;
    private static final long COMMIT_MS = 1000;

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        KafkaStreams streams = new KafkaStreams(topology(), properties());
        CountDownLatch ended = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            ended.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(8))));
        streams.start();
        ended.await();
        System.exit(1);
    }

    private static Topology topology() throws Exception {
        Rules rules = Rules.read(Path.of(environment("RULES")));
        Path first = Path.of(environment("FOLDER"), "first");
        AtomicBoolean begun = new AtomicBoolean();
        Runnable begin = () -> {
            if (!begun.get() && begun.compareAndSet(false, true)) {
                note(first);
            }
        };
        Serde<Contact> contacts = Serdes.serdeFrom(
            (topic, contact) -> contact == null ? null : contact.toBytes(),
            (topic, bytes) -> bytes == null ? null : Contact.of(bytes));
        StoreBuilder<KeyValueStore<String, Contact>> store = Stores
            .keyValueStoreBuilder(Stores.persistentKeyValueStore(Assign.STORE), Serdes.String(), contacts)
            .withCachingEnabled()
            .withLoggingEnabled(Map.of());
        Serializer<Transition> transitions = (topic, transition) -> Json.bytes(transition);
        Topology topology = new Topology();
        topology.addSource(
            "events",
            Serdes.String().deserializer(),
            (topic, bytes) -> Json.event(bytes),
            environment("EVENTS"));
        topology.addProcessor("assign", () -> new Assign(rules, begin), "events");
        topology.addStateStore(store, "assign");
        topology.addSink(
            "transitions",
            environment("TRANSITIONS"),
            Serdes.String().serializer(),
            transitions,
            "assign");
        return topology;
    }

    private static Properties properties() {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, environment("GROUP"));
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, environment("KAFKA"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, Path.of(environment("FOLDER"), "state").toString());
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, THREADS);
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, CACHE_BYTES);
        properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, COMMIT_MS);
        if (environment("GUARANTEE").equals("exactly-once")) {
            properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        }
        return properties;
    }

    private static void note(Path first) {
        try {
            Files.writeString(first, String.valueOf(System.currentTimeMillis() / 1000.0));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static String environment(String name) {
        return System.getenv("PEER_" + name);
    }
}
