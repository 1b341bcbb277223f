package peer;

import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** A record as it goes to whoever judges its contact: contact id, received time in ms, and what it says, unread. */
final class Received implements KafkaRecordDeserializationSchema<Tuple3<String, Long, byte[]>> {
    private static final long serialVersionUID = 1;

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Tuple3<String, Long, byte[]>> out) {
        String contactId = new String(record.key(), StandardCharsets.UTF_8);
        out.collect(Tuple3.of(contactId, record.timestamp(), record.value()));
    }

    @Override
    public TypeInformation<Tuple3<String, Long, byte[]>> getProducedType() {
        return TypeInformation.of(new TypeHint<>() {});
    }
}
