package peer;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Contacts in their compact form, for checkpoints and RocksDB. On the heap they stay objects. */
public final class ContactSerializer extends TypeSerializerSingleton<Contact> {
    private static final long serialVersionUID = 1;

    @Override
    public boolean isImmutableType() {
        return false;
    }

    @Override
    public Contact createInstance() {
        return new Contact(0);
    }

    @Override
    public Contact copy(Contact from) {
        return Contact.of(from.toBytes());
    }

    @Override
    public Contact copy(Contact from, Contact reuse) {
        return copy(from);
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(Contact contact, DataOutputView target) throws IOException {
        byte[] bytes = contact.toBytes();
        target.writeInt(bytes.length);
        target.write(bytes);
    }

    @Override
    public Contact deserialize(DataInputView source) throws IOException {
        byte[] bytes = new byte[source.readInt()];
        source.readFully(bytes);
        return Contact.of(bytes);
    }

    @Override
    public Contact deserialize(Contact reuse, DataInputView source) throws IOException {
        return deserialize(source);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        int length = source.readInt();
        target.writeInt(length);
        target.write(source, length);
    }

    @Override
    public TypeSerializerSnapshot<Contact> snapshotConfiguration() {
        return new Snapshot();
    }

    /** There is one version. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Contact> {
        public Snapshot() {
            super(ContactSerializer::new);
        }
    }
}
