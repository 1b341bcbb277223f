package peer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** One event: its contact from the state, the rules, the contact into the state, transitions out. */
final class Judge extends KeyedProcessFunction<String, Tuple3<String, Long, byte[]>, Tuple2<byte[], byte[]>> {
    private static final long serialVersionUID = 1;

    private final String file;
    private final String first;
    private transient Rules rules;
    private transient List<Transition> made;
    private transient ValueState<Contact> state;
    private transient boolean hasBegun;

    Judge(String file, String first) {
        this.file = file;
        this.first = first;
    }

    @Override
    public void open(OpenContext context) throws Exception {
        rules = Rules.read(Path.of(file));
        made = new ArrayList<>();
        state = getRuntimeContext().getState(new ValueStateDescriptor<>("contact", new ContactSerializer()));
    }

    @Override
    public void processElement(
            Tuple3<String, Long, byte[]> record, Context context, Collector<Tuple2<byte[], byte[]>> out)
            throws Exception {
        if (!hasBegun) {
            hasBegun = true;
            Files.writeString(Path.of(first), String.valueOf(System.currentTimeMillis() / 1000.0));
        }
        Contact contact = state.value();
        if (contact == null) {
            contact = new Contact(rules.featureCount());
        }
        rules.take(contact, Json.event(record.f2), record.f1, made);
        state.update(contact);
        for (Transition transition : made) {
            out.collect(Tuple2.of(record.f0.getBytes(StandardCharsets.UTF_8), Json.bytes(transition)));
        }
        made.clear();
    }
}
