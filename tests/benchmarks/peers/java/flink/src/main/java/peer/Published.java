package peer;

import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/** A transition as a record of the topic: its key and its value are bytes already. */
final class Published implements KafkaRecordSerializationSchema<Tuple2<byte[], byte[]>> {
    private static final long serialVersionUID = 1;

    private final String topic;

    Published(String topic) {
        this.topic = topic;
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            Tuple2<byte[], byte[]> transition, KafkaSinkContext context, Long timestamp) {
        return new ProducerRecord<>(topic, transition.f0, transition.f1);
    }
}
