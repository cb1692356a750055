"""Sample data in the formats of the field, and how tools are run on them."""

import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTEM_PYTHON = "/usr/bin/python3"  # it has Debian's pandas and h5py
SAMTOOLS_DATA = "/usr/share/samtools/test/mpileup"


def shell(script, folder):
    """What a script prints, run in `folder`."""
    done = subprocess.run(["bash", "-ec", "set -o pipefail; " + script], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    return done.stdout


def make_data(folder):
    subprocess.run([SYSTEM_PYTHON, os.path.join(HERE, "make_data.py"), folder], check=True)
    shell(f"""
        mkdir genome
        cp {SAMTOOLS_DATA}/mpileup.ref.fa genome/ref.fa
        for i in 1 2 3; do samtools sort -o genome/$i.bam {SAMTOOLS_DATA}/mpileup.$i.bam; samtools index genome/$i.bam; done
        cp '{SAMTOOLS_DATA}/ce#large_seq.bam' genome/large.bam
        samtools faidx genome/ref.fa
        samtools view -C -T genome/ref.fa -o genome/1.cram genome/1.bam
        bcftools mpileup -f genome/ref.fa genome/[123].bam | bcftools call -mA -Oz -o genome/calls.vcf.gz
        bcftools index genome/calls.vcf.gz
        Rscript -e 'saveRDS(data.frame(id = 1:50000, x = sin(1:50000)), "frame.rds")'
        fio --name=v --filename=verified --size=24m --rw=randwrite --bsrange=512-64k --verify=crc32c --do_verify=0 >/dev/null
        """, folder)
