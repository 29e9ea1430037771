import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/** What a Java program asks of malloc: the machine itself, threads, direct buffers, zlib. */
public class Work {
    static long pack(int seed) throws Exception {
        byte[] data = new byte[200000];
        for (int i = 0; i < data.length; i++) data[i] = (byte) (i * seed >> 3);
        CRC32 sum = new CRC32();
        for (int turn = 0; turn < 5; turn++) {
            Deflater deflater = new Deflater();
            deflater.setInput(data);
            deflater.finish();
            ByteArrayOutputStream packed = new ByteArrayOutputStream();
            byte[] piece = new byte[4096];
            while (!deflater.finished()) packed.write(piece, 0, deflater.deflate(piece));
            deflater.end();
            Inflater inflater = new Inflater();
            inflater.setInput(packed.toByteArray());
            byte[] back = new byte[data.length];
            if (inflater.inflate(back) != data.length) throw new IllegalStateException("cut");
            inflater.end();
            sum.update(back);
        }
        ByteBuffer direct = ByteBuffer.allocateDirect(300000);
        for (int i = 0; i < 300000; i++) direct.put(i, (byte) i);
        return sum.getValue() + direct.get(299999);
    }

    public static void main(String[] arguments) throws Exception {
        TreeMap<String, int[]> table = new TreeMap<>();
        for (int i = 0; i < 200000; i++) table.put("key" + i % 30000, new int[i % 100]);
        System.gc();
        System.out.println(table.size() + " " + table.lastKey());
        ExecutorService crew = Executors.newFixedThreadPool(8);
        List<Callable<Long>> tasks = new ArrayList<>();
        for (int i = 1; i <= 40; i++) {
            int seed = i;
            tasks.add(() -> pack(seed));
        }
        long sum = 0;
        for (var result : crew.invokeAll(tasks)) sum += result.get();
        crew.shutdown();
        System.out.println(sum);
    }
}
