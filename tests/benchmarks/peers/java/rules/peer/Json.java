package peer;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Records in and out. */
final class Json {
    static final ObjectMapper MAPPER = new ObjectMapper();
    private static final ObjectReader EVENT = MAPPER.readerFor(Event.class);
    private static final ObjectWriter TRANSITION = MAPPER.writerFor(Transition.class);

    private Json() {}

    static Event event(byte[] value) {
        try {
            return EVENT.readValue(value);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    static byte[] bytes(Transition transition) {
        try {
            return TRANSITION.writeValueAsBytes(transition);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
