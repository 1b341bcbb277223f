package peer;

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** One event: its contact from the store, the rules, the contact into the store, transitions out. */
final class Assign implements Processor<String, Event, String, Transition> {
    static final String STORE = "contacts";

    private final Rules rules;
    private final Runnable begin;
    private final List<Transition> out = new ArrayList<>();
    private ProcessorContext<String, Transition> context;
    private KeyValueStore<String, Contact> store;

    Assign(Rules rules, Runnable begin) {
        this.rules = rules;
        this.begin = begin;
    }

    @Override
    public void init(ProcessorContext<String, Transition> given) {
        context = given;
        store = given.getStateStore(STORE);
    }

    @Override
    public void process(Record<String, Event> record) {
        begin.run();
        Event event = record.value();
        Contact contact = store.get(event.userId());
        if (contact == null) {
            contact = new Contact(rules.featureCount());
        }
        rules.take(contact, event, record.timestamp(), out);
        store.put(event.userId(), contact);
        for (Transition transition : out) {
            context.forward(record.withValue(transition));
        }
        out.clear();
    }
}
