package peer;

import java.nio.file.Path;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * The peer: Flink, in one process, with contacts as objects on the heap or as records in RocksDB.
 *
 * <p>A checkpoint of the heap writes all contacts, not those that have changed: so there is one every 5 s, and not
 * every second. Transitions are at least once.
 */
public final class Main {
    private static final int CHECKPOINT_MS = 5000;

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(environment("FOLDER"));
        boolean isOnHeap = environment("STATE").equals("hashmap");
        Configuration configuration = new Configuration();
        configuration.setString("state.backend.type", environment("STATE"));
        configuration.setString("execution.checkpointing.incremental", isOnHeap ? "false" : "true");
        configuration.setString("execution.checkpointing.storage", "filesystem");
        configuration.setString("execution.checkpointing.dir", folder.resolve("checkpoints").toUri().toString());
        configuration.setString("io.tmp.dirs", folder.toString());
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        environment.setParallelism(1);
        environment.enableCheckpointing(CHECKPOINT_MS);
        environment.getConfig().enableObjectReuse();
        environment
            .fromSource(source(), WatermarkStrategy.noWatermarks(), "events")
            .keyBy(record -> record.f0)
            .process(new Judge(environment("RULES"), folder.resolve("first").toString()))
            .sinkTo(sink());
        environment.execute();
    }

    private static KafkaSource<Tuple3<String, Long, byte[]>> source() {
        return KafkaSource.<Tuple3<String, Long, byte[]>>builder()
            .setBootstrapServers(environment("KAFKA"))
            .setTopics(environment("EVENTS"))
            .setGroupId(environment("GROUP"))
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setDeserializer(new Received())
            .build();
    }

    private static KafkaSink<Tuple2<byte[], byte[]>> sink() {
        return KafkaSink.<Tuple2<byte[], byte[]>>builder()
            .setBootstrapServers(environment("KAFKA"))
            .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
            .setRecordSerializer(new Published(environment("TRANSITIONS")))
            .build();
    }

    private static String environment(String name) {
        return System.getenv("PEER_" + name);
    }
}
